"""Several platforms move as Prefect runs them: processes of their own, a canary first, no more at a time than allowed."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
import yaml
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import ObjectNotFound
from prefect.settings import get_current_settings

import flows.campaign
from configs.errors import ConfigError
from flows.campaign import CampaignError, campaign
from tests.fakes.platform import config, machines_on
from tests.flows.moving import RELEASED, note

STARTS_WITHIN_S = 120


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where the served flow notes what it does."""
    path = tmp_path_factory.mktemp("moving") / "ledger"
    environment = get_current_settings().to_environment_variables(exclude_unset=True, include_secrets=True)
    command = [sys.executable, "-m", "tests.flows.moving", str(path)]
    server = subprocess.Popen(command, env={**environment, "PATH": "/usr/bin:/bin", "PREFECT_RUNNER_POLL_FREQUENCY": "1"})
    deadline = time.monotonic() + STARTS_WITHIN_S
    while not deployed():
        assert server.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.2)
    yield path
    server.send_signal(signal.SIGINT)
    server.wait(60)


def deployed() -> bool:
    with get_client(sync_client=True) as client:
        try:
            return client.read_deployment_by_name("moving/test") is not None
        except ObjectNotFound:
            return False


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flows.campaign, "POLL_S", 0.2)


def inventory(folder: Path, *names: str, at_once: int = 2) -> str:
    paths = []
    for number, name in enumerate(names):
        paths.append(folder / f"{name}.yaml")
        paths[-1].write_text(yaml.safe_dump(config(platform=name, **machines_on(f"10.0.{number}."))))
    path = folder / "campaign.yaml"
    canary, *others = map(str, paths)
    facts = {"campaign": folder.name, "canary": canary, "others": others, "at_once": at_once, "deployment": "moving/test"}
    path.write_text(yaml.safe_dump(facts))
    return str(path)


def report(name: str) -> str:
    only = ArtifactFilter(key=ArtifactFilterKey(any_=[f"campaign-{name}"]))
    with get_client(sync_client=True) as client:
        (shown,) = client.read_artifacts(artifact_filter=only)
    return str(shown.data)


def most_at_once(lines: list[str]) -> int:
    under_way = most = 0
    for line in lines:
        under_way += 1 if "begins" in line else -1
        most = max(most, under_way)
    return most


def test_the_canary_moves_by_itself_and_then_as_many_as_allowed(ledger: Path, tmp_path: Path) -> None:
    ledger.write_text("")
    folder = tmp_path / "all"
    folder.mkdir()

    campaign(inventory(folder, "a", "pair-1", "pair-2", "d"))

    lines = ledger.read_text().splitlines()
    assert lines[:2] == ["a begins", "a ends"]
    assert sorted(lines[2:4]) == ["pair-1 begins", "pair-2 begins"]
    assert sorted(lines[4:]) == ["d begins", "d ends", "pair-1 ends", "pair-2 ends"]
    assert most_at_once(lines) == 2
    assert report("all").startswith("# campaign all: 4 moved of 4")


def test_after_a_failure_none_is_begun(ledger: Path, tmp_path: Path) -> None:
    ledger.write_text("")
    folder = tmp_path / "some"
    folder.mkdir()

    with pytest.raises(CampaignError, match=r"^bad: .*docker does not run.*; 1 others have not moved, either.*\[campaign-stopped\]$"):
        campaign(inventory(folder, "a", "bad", "c", at_once=1), dry_run=True)

    assert ledger.read_text().splitlines() == ["a begins dry", "a ends", "bad begins dry", "bad ends"]
    assert report("some").startswith("# campaign some (dry runs): 1 moved, 1 failed, 1 not begun of 3")


def test_a_run_that_is_under_way_is_awaited_and_none_begun_beside_it(
    ledger: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger.write_text("")
    folder = tmp_path / "again"
    folder.mkdir()
    path = inventory(folder, "held", "b")
    with get_client(sync_client=True) as client:
        moving = client.read_deployment_by_name("moving/test")
        client.create_flow_run_from_deployment(moving.id, parameters={"config": str(folder / "held.yaml")})
    find = flows.campaign._under_way

    def found(deployment: UUID, wanted: dict[str, object]) -> FlowRun | None:
        run = find(deployment, wanted)
        note(ledger, RELEASED)
        return run

    monkeypatch.setattr(flows.campaign, "_under_way", found)

    campaign(path)

    lines = [line for line in ledger.read_text().splitlines() if line != RELEASED]
    assert lines == ["held begins", "held ends", "b begins", "b ends"]


@pytest.mark.parametrize("less", [{"dry_run": True}, {"until": "join"}, {"only": "phys-1"}])
def test_a_run_that_does_less_is_not_taken_for_the_move(less: dict[str, object]) -> None:
    asked = {"config": "configs/a.yaml", "dry_run": False}
    with get_client(sync_client=True) as client:
        flow = client.create_flow_from_name("less")
        deployment = client.create_deployment(flow, name=f"less {less}")
        run = client.create_flow_run_from_deployment(deployment, parameters={**asked, "approved": True, "until": None, "only": None})

        assert found_id(deployment, asked) == run.id
        client.delete_flow_run(run.id)
        client.create_flow_run_from_deployment(deployment, parameters={**asked, **less})
        assert found_id(deployment, asked) is None


def found_id(deployment: UUID, wanted: dict[str, object]) -> UUID | None:
    run = flows.campaign._under_way(deployment, wanted)
    return run.id if run is not None else None


def test_what_is_not_deployed_is_refused_before_anything_is_begun(tmp_path: Path) -> None:
    folder = tmp_path / "nowhere"
    folder.mkdir()
    path = Path(inventory(folder, "a", "b"))
    path.write_text(path.read_text().replace("moving/test", "moving/nobody"))

    with pytest.raises(ConfigError, match=r"deployment: moving/nobody is not deployed: prefect deploy --all"):
        campaign(str(path))
