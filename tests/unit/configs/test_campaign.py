"""A campaign's inventory, read with all its platforms' configs before anything is begun."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from configs.errors import ConfigError
from configs.load import load_campaign
from tests.fakes.platform import config, machines_on


def written(folder: Path, name: str, **facts: Any) -> str:
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(config(platform=name, **facts)))
    return str(folder / f"{name}.yaml")


def inventory(folder: Path, **facts: Any) -> Path:
    a, b = (written(folder, name, **machines_on(network)) for name, network in (("a", "10.0.1."), ("b", "10.0.2.")))
    path = folder / "campaign.yaml"
    path.write_text(yaml.safe_dump({"campaign": "north", "canary": a, "others": [b], **facts}))
    return path


def test_its_platforms_are_read_the_canary_first(tmp_path: Path) -> None:
    campaign, platforms = load_campaign(inventory(tmp_path))

    assert [platform.name for platform in platforms.values()] == ["a", "b"]
    assert (campaign.at_once, campaign.deployment) == (1, "migrate/prod")


def test_mistakes_of_all_files_are_reported_together(tmp_path: Path) -> None:
    path = inventory(tmp_path)
    (tmp_path / "a.yaml").unlink()
    (tmp_path / "b.yaml").write_text("platform: b\n")

    with pytest.raises(ConfigError, match=r"(?s)a\.yaml: No such file.*b\.yaml: sources: Field required"):
        load_campaign(path)


def test_a_platform_that_is_written_twice_is_refused(tmp_path: Path) -> None:
    path = inventory(tmp_path, others=[str(tmp_path / "a.yaml")])

    with pytest.raises(ConfigError, match=r"a\.yaml is written twice"):
        load_campaign(path)


@pytest.mark.parametrize(
    ("facts", "message"), [({"name": "a"}, "platform a is in"), ({"network": "10.0.1."}, r"the machine 10\.0\.1\.\d+ is in")]
)
def test_a_name_and_a_machine_belong_to_one_platform(tmp_path: Path, facts: dict[str, Any], message: str) -> None:
    path = inventory(tmp_path)
    text = config(platform=facts.get("name", "b"), **machines_on(facts.get("network", "10.0.2.")))
    (tmp_path / "b.yaml").write_text(yaml.safe_dump(text))

    with pytest.raises(ConfigError, match=message):
        load_campaign(path)


def test_an_inventory_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"campaign\.yaml: No such file or directory: write campaign, canary and others there"):
        load_campaign(tmp_path / "campaign.yaml")
