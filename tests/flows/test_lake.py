"""The file lake's bricks leave the sources, and then the sources its pool: planned, killed in the middle, continued, run again."""

from __future__ import annotations

from pathlib import Path

import pytest

from blocks.errors import HostError
from flows.lake import leave_lake, move_lake
from flows.migrate import join_targets
from flows.part import Part
from flows.session import Session
from tests.fakes.clock import FakeTime
from tests.fakes.gluster import OTHER, FakeGluster
from tests.fakes.world import World
from tests.flows.sessions import perform
from tests.unit.tasks.cases import with_lake

NEW = ["10.0.0.21:/mnt/lake/brick", "10.0.0.22:/mnt/lake/brick", "other:/mnt/lake/brick"]


@pytest.fixture
def world(folder: Path, time: FakeTime) -> World:
    return World(folder, time)


@pytest.fixture
def lake(world: World) -> FakeGluster:
    return with_lake(world)


def test_a_plan_lists_every_peer_and_every_brick_and_changes_nothing(world: World, lake: FakeGluster) -> None:
    report = perform(move_lake, world, dry=True)

    assert [f"{entry.step}: {entry.target}: {entry.why}" for entry in report.entries] == [
        "probe lake peer: phys-1: gluster peer probe 10.0.0.21 on vm-1",
        "probe lake peer: phys-2: gluster peer probe 10.0.0.22 on vm-1",
        "replace lake brick: uap brick 1: vm-1:/mnt/lake/brick is replaced by 10.0.0.21:/mnt/lake/brick, and filled",
        "replace lake brick: uap brick 2: vm-2:/mnt/lake/brick is replaced by 10.0.0.22:/mnt/lake/brick, and filled",
        "replace lake brick: uap brick 3: other:/mnt/lake/brick stays, nothing is left to heal",
        "install backup-ctl: vm-1: uap-backup-ctl-1.0.0 is installed",
    ]
    assert world.mutations == []


def test_a_run_whose_answer_was_lost_is_continued_and_backup_ctl_follows_the_bricks(world: World, lake: FakeGluster) -> None:
    world.hosts["phys-1"].fail("gluster volume replace-brick", HostError("phys-1: SSH broke"), after=True)
    with pytest.raises(HostError, match="SSH broke"):
        perform(move_lake, world)
    assert lake.bricks("uap") == [NEW[0], "vm-2:/mnt/lake/brick", NEW[2]]

    perform(move_lake, world)
    perform(leave_lake, world)

    assert lake.bricks("uap") == NEW
    assert lake.peers() == {"phys-1", "phys-2", OTHER}
    assert '"common.env.ENV_GLUSTERFS_NODE_IPS":"10.0.0.21,10.0.0.22"' in world.hosts["vm-1"].state("helm-values")
    world.forget()
    again = [*perform(move_lake, world).entries, *perform(leave_lake, world).entries]
    assert {entry.outcome for entry in again} == {"unchanged"}
    assert world.mutations == []


@pytest.mark.parametrize(
    ("part", "planned"),
    [(Part("canary"), 0), (Part(only=("phys-1",)), 0), (Part("join"), 2), (Part(), 2)],
    ids=["until the canary", "one target only", "until all have joined", "whole"],
)
def test_bricks_move_once_all_targets_have_joined(world: World, lake: FakeGluster, part: Part, planned: int) -> None:
    def act(session: Session) -> None:
        join_targets(session, part, approved=False)

    report = perform(act, world, dry=True)

    moving = [entry for entry in report.entries if entry.step == "replace lake brick" and entry.outcome == "planned"]
    assert len(moving) == planned
    assert lake.bricks("uap")[:2] == ["vm-1:/mnt/lake/brick", "vm-2:/mnt/lake/brick"]


def test_without_a_word_in_the_config_nothing_is_moved(folder: Path, time: FakeTime) -> None:
    world = World(folder, time)
    lake = with_lake(world, move=False)

    perform(move_lake, world)
    perform(leave_lake, world)

    assert lake.bricks("uap")[:2] == ["vm-1:/mnt/lake/brick", "vm-2:/mnt/lake/brick"]
    assert world.mutations == []
