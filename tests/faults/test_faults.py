"""One night on which everything breaks that machines and networks break; each time the same command goes on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults import state
from tests.faults.conftest import Uninterrupted
from tests.faults.runs import Ended, at, fault, heal, impatient_config, migrate
from tests.faults.writers import Writers
from tests.lab import world

pytestmark = pytest.mark.timeout(1800)
PATIENT = world.ROOT / "configs/lab.yaml"


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return impatient_config(tmp_path_factory.mktemp("config"))


@pytest.fixture(scope="module")
def writers(uninterrupted: Uninterrupted, secrets: dict[str, str]) -> Iterator[Writers]:
    """A fresh lab, and clients that write from now to the end of the night."""
    world.lab("up", "--fresh", timeout_s=3000)
    with Writers(secrets["LAB_MYSQL_WACOS_PASSWORD"]) as writers:
        yield writers


@pytest.fixture(scope="module")
def before(writers: Writers) -> dict[str, Any]:
    return state.the_lab("vm-1")


def assert_told(ended: Ended, message: str) -> None:
    assert not ended.ok
    assert re.search(message, ended.error), ended.error


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ssh-key-changed", r"phys-2: opening SSH .*: the host key is not the known one: .*ssh-keygen -R"),
        ("ssh-blocked", r"phys-2: opening SSH .*: is it up, and is sshd on this port\?"),
        ("docker-dead", r"phys-2: docker does not run: systemctl start docker"),
        ("etcd-stopped", r"voters etcd-node-2 do not answer: 2 of 3 are up, quorum is 2; .* bring them back first"),
        ("stranger", r"vm-1: .*another router .*VRID 51"),
    ],
)
def test_refused_before_anything_is_touched(
    before: dict[str, Any], secrets: dict[str, str], config: Path, name: str, message: str
) -> None:
    fault(name)
    ended = migrate(secrets, config)
    quorum = state.quorum_is_up()
    heal()
    assert_told(ended, message)
    assert quorum
    world.eventually("it is as before", lambda: state.the_lab("vm-1") == before, within_s=30)


def test_a_learner_that_cannot_catch_up_is_removed_again(
    before: dict[str, Any], secrets: dict[str, str], config: Path
) -> None:
    fault("etcd-peers-blocked", *world.TARGETS)
    fault("disk-full", "phys-5")
    fault("stale-hosts", "phys-2")
    ended = migrate(secrets, config)
    members = world.members("vm-1")
    heal()
    assert_told(ended, r"phys-\d: joining etcd failed, the learner is removed again, etcd is as before: .* not within 25 s")
    assert members == before["members"]


def test_a_full_disk_is_told(secrets: dict[str, str], config: Path) -> None:
    fault("disk-full", "phys-5")
    fault("token-wrong")
    ended = migrate(secrets, config, at("after verify", "join etcd", "etcd-stopped", "vm-3"))
    quorum = state.quorum_is_up()
    heal()
    assert_told(ended, r"phys-\d: joining etcd: voters etcd-node-3 do not answer: 3 of 4 are up, quorum is 3")
    assert "no space left on device" in ended.entries("load images")["phys-5"]["why"]
    assert quorum
    assert len(world.members("vm-1")) == 4


def test_a_leader_killed_and_a_target_rebooted_while_they_join(secrets: dict[str, str], config: Path) -> None:
    fault("token-wrong")
    ended = migrate(
        secrets,
        config,
        at("in act", "joining etcd", "etcd-leader-killed"),
        at("in act", "joining etcd", "reboot", "TARGET", nth=3),
    )
    heal()
    assert_told(ended, r"phys-1: k3s did not start: (?s:.*)encrypted with different token")
    assert len(world.members("vm-1")) == 9
    assert state.quorum_is_up()


def test_ssh_cut_in_the_middle_of_a_command_and_a_pod_that_does_not_end(secrets: dict[str, str], config: Path) -> None:
    fault("stubborn-pod")
    ended = migrate(secrets, config, at("in act", "joining k3s", "ssh-cut", nth=2))
    cordoned = [name for name, _, _, cordoned in world.nodes("vm-1") if cordoned]
    heal()
    assert_told(ended, r"vm-\d: not drained within 30 s: .*stubborn-\S+: is terminating, waiting for its grace period")
    assert {entry["outcome"] for entry in ended.entries("join k3s").values()} <= {"changed", "unchanged"}
    assert cordoned == []


def test_a_budget_that_allows_nothing(secrets: dict[str, str], config: Path) -> None:
    fault("budget-zero")
    ended = migrate(secrets, config)
    cordoned = [name for name, _, _, cordoned in world.nodes("vm-1") if cordoned]
    heal()
    assert_told(ended, r"vm-\d: not drained within 30 s: .*web-\S+: .*disruption budget.*: give the workload")
    assert cordoned == []


def test_in_the_end_it_has_moved_and_nothing_is_lost(
    uninterrupted: Uninterrupted, writers: Writers, secrets: dict[str, str]
) -> None:
    ended = migrate(secrets, PATIENT)
    assert ended.ok, ended.error
    assert state.differences(state.the_lab("phys-1"), uninterrupted.state) == []
    writers.stop()
    assert writers.lost() == (set(), set())
    print(f"{len(writers.etcd)} keys and {len(writers.sql)} rows acknowledged, none lost")  # noqa: T201


def test_slow_and_lossy_links_only_take_longer(uninterrupted: Uninterrupted, secrets: dict[str, str]) -> None:
    world.lab("up", "--fresh", timeout_s=3000)
    fault("slow-links")
    ended = migrate(secrets, PATIENT)
    heal()
    assert ended.ok, ended.error
    assert state.differences(state.the_lab("phys-1"), uninterrupted.state) == []
