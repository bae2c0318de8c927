"""Kills at the worst moments, each on a fresh lab, and a rollback from one; `make test-faults` has all moments."""

from __future__ import annotations

import pytest

from tests.faults import state
from tests.faults.kills import kill_in_act
from tests.faults.quorum import is_healthy
from tests.lab import release, world
from tests.lab.conftest import Migrated, run_deployment, run_flow


@pytest.mark.parametrize(
    ("doing", "nth"),
    [
        pytest.param("uninstalling", 4, id="while four targets are being uninstalled"),
        pytest.param("joining etcd", 2, id="while a learner catches up"),
    ],
)
def test_killed_in_the_middle_the_same_command_goes_on(
    migrated: Migrated, secrets: dict[str, str], doing: str, nth: int
) -> None:
    world.lab("up", "--fresh", timeout_s=3000)
    kill_in_act(doing, nth, secrets)
    assert is_healthy()
    run_flow()
    assert state.differences(state.the_lab("phys-1"), migrated.state) == []
    assert len(world.identities("phys-1")) == 1


def drain_of_the_client() -> int:
    """Which drain evicts the database's client pod: SQL goes through it, and no controller makes it anew."""
    pods = world.kubectl("vm-1", "pods -n iottepa")
    node = next(pod["spec"]["nodeName"] for pod in pods if pod["metadata"]["name"] == "debug-mysql-client")
    return world.SOURCES.index(node) + 1


def test_a_rollback_in_the_middle_of_the_drains_and_one_more_kill(migrated: Migrated, secrets: dict[str, str]) -> None:
    root = secrets["LAB_MYSQL_ROOT_PASSWORD"]
    world.lab("up", "--fresh", timeout_s=3000)
    before, tags = release.checksums(root), world.images("vm-1")
    kill_in_act("evicting", drain_of_the_client(), secrets)
    assert any(cordoned for *_, cordoned in world.nodes("vm-1"))
    world.eventually("the database answers", lambda: release.answers(root), within_s=150)
    release.spoil_rows(root)

    ran = run_deployment("rollback/lab")

    assert ran.ok, ran.report["error"]
    assert release.checksums(root) == before
    assert {name: found for name, found in world.images("phys-1").items() if name in tags} == tags
    kill_in_act("stopping k3s", 2, secrets)
    assert is_healthy()
    run_flow()
    assert release.checksums(root) == before
    assert state.differences(state.the_lab("phys-1"), migrated.state) == []
