"""Whether etcd can grow, and whether it has become the targets'."""

import pytest

from blocks.errors import EtcdUnavailableError, RefusedError
from tasks.engine.outcome import Outcome
from tasks.etcd.checks import check_etcd
from tests.fakes.world import World


def ask_etcd(world: World) -> Outcome:
    return check_etcd.fn(world.run(), world.platform, world.etcd)


def test_a_silent_voter_is_refused(world: World) -> None:
    world.etcd.down = {"vm-2"}

    with pytest.raises(RefusedError, match="voters vm-2 do not answer: 1 of 2 are up"):
        ask_etcd(world)


def test_members_that_disagree_are_asked_again_later(world: World) -> None:
    world.etcd.stale["vm-2"] = []

    with pytest.raises(EtcdUnavailableError, match="members disagree"):
        ask_etcd(world)


def test_a_member_that_nobody_knows_is_refused(world: World) -> None:
    world.etcd.joined("stranger", "10.0.0.77")

    with pytest.raises(RefusedError, match="members stranger are neither sources nor targets"):
        ask_etcd(world)


@pytest.mark.parametrize(
    ("version", "notes"),
    [("3.5.0", 0), ("3.5.1", 1), ("3.5.19", 1), ("3.5.20", 0), ("3.5.21", 0), ("3.6.1", 0), ("3.5.4-rc.0", 0)],
)
def test_versions_that_forget_a_promotion_are_told(world: World, version: str, notes: int) -> None:
    world.etcd.versions = {"vm-1": version, "vm-2": version}

    assert len(ask_etcd(world).notes) == notes


def test_mixed_versions_are_told(world: World) -> None:
    world.etcd.versions = {"vm-1": "3.5.30"}

    assert ask_etcd(world).notes == ("mixed versions: 3.5.21, 3.5.30",)
