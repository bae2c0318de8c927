"""The whole move on another etcd than Debian 12's, from one to the next, and never back to an older one."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from deployments.lab import cache, parts
from deployments.lab.machines import find
from tests.faults import state
from tests.faults.conftest import Uninterrupted
from tests.faults.kills import kill_in_act
from tests.faults.runs import migrate
from tests.faults.story import Story
from tests.lab import world

pytestmark = pytest.mark.timeout(3600)
CONFIG = world.ROOT / "configs/lab.yaml"
OLDER, NEWER = cache.ROOTFS / "usr/bin/etcd", cache.ETCD / "usr/bin/etcd"
"""Debian 12's 3.4 and Debian 13's 3.5."""


@pytest.fixture(scope="module")
def on_3_5(uninterrupted: Uninterrupted) -> Iterator[None]:
    """Every etcd of the labs from here on is 3.5; how a migration ends was seen on 3.4 before."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LAB_ETCD", "3.5")
        yield


def install(binary: Path, host: str) -> None:
    """Another etcd than its own lies on that machine; what runs there goes on."""
    script = "cat > /usr/local/bin/etcd.new && chmod +x /usr/local/bin/etcd.new && mv /usr/local/bin/etcd.new /usr/local/bin/etcd"
    with binary.open("rb") as content:
        subprocess.run(["podman", "exec", "--interactive", find(host).container, "sh", "-c", script], stdin=content, check=True)


def version(host: str) -> str:
    """MAJOR.MINOR of the etcd that runs there."""
    (said,) = json.loads(world.on(host, "ETCDCTL_API=3 etcdctl --endpoints=http://127.0.0.1:2379 endpoint status -w json"))
    return str(said["Status"]["version"]).rpartition(".")[0]


def test_a_platform_on_3_5_moves(on_3_5: None, uninterrupted: Uninterrupted, secrets: dict[str, str]) -> None:
    world.lab("up", "--fresh", timeout_s=3000)
    assert {version(host) for host in world.SOURCES} == {"3.5"}
    with Story("etcd 3.5", secrets) as story:
        ended = migrate(secrets, CONFIG)
        assert ended.ok, ended.error
        assert ended.report["outcome"] == "verified"
        story.saw("etcd 3.5", "it moved")
        story.ends_as(uninterrupted.state)
    assert {version(host) for host in world.TARGETS} == {"3.5"}


def test_a_run_killed_while_a_learner_of_3_5_joins_is_finished_by_the_next(
    on_3_5: None, uninterrupted: Uninterrupted, secrets: dict[str, str]
) -> None:
    world.lab("up", "--fresh", timeout_s=3000)
    with Story("etcd 3.5, killed while a target joins", secrets) as story:
        kill_in_act("joining etcd", 2, secrets)
        ended = migrate(secrets, CONFIG)
        assert ended.ok, ended.error
        assert ended.report["outcome"] == "verified"
        story.saw("killed in act: joining etcd, the second", "it moved")
        story.ends_as(uninterrupted.state)


def test_a_target_with_3_4_is_refused_before_anything_is_changed(on_3_5: None, secrets: dict[str, str]) -> None:
    world.lab("up", "--fresh", timeout_s=3000)
    install(OLDER, "phys-2")
    before = state.the_lab("vm-1")

    ended = migrate(secrets, CONFIG)

    assert not ended.ok
    assert "phys-2: its etcd is 3.4.23, the platform runs 3.5.16" in ended.error
    assert "[etcd-too-old]" in ended.error
    assert state.differences(state.the_lab("vm-1"), before) == []


def test_a_platform_on_3_4_moves_to_3_5(
    on_3_5: None, uninterrupted: Uninterrupted, secrets: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for part in parts.etcd():
        part.ensure()
    monkeypatch.delenv("LAB_ETCD")
    world.lab("up", "--fresh", timeout_s=3000)
    for target in world.TARGETS:
        install(NEWER, target)
    with Story("etcd 3.4 to 3.5", secrets) as story:
        ended = migrate(secrets, CONFIG)
        assert ended.ok, ended.error
        story.saw("etcd 3.4 to 3.5", "it moved")
        story.ends_verified(ended.report)
    assert {version(host) for host in world.TARGETS} == {"3.5"}
