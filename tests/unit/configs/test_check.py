"""The check of a configuration, as a command."""

from pathlib import Path

import pytest
import yaml

from configs.check import main
from tests.fakes.platform import config


def written(folder: Path, **changes: object) -> str:
    path = folder / "platform.yaml"
    path.write_text(yaml.safe_dump(config(**changes)))
    return str(path)


def test_a_valid_configuration_is_described_in_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path)

    assert main(path) == 0

    assert capsys.readouterr().out.startswith(
        f"{path}: demo: 2 sources, 3 targets, 2 of them servers; secrets: environment variable VRRP_"
    )


def test_every_mistake_is_reported_on_a_line_of_its_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(written(tmp_path, vip="nowhere", colour="blue")) == 2

    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert all(line.startswith(str(tmp_path)) for line in lines)
