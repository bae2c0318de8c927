"""etcd loses a source only when its leader has been moved away and enough voters stay."""

import pytest

from blocks.errors import DeadlineExceededError, EtcdUnavailableError, RefusedError
from tasks.engine.outcome import Change, Outcome
from tasks.etcd.leave import ensure_not_leader, ensure_not_member
from tasks.etcd.quorum import QuorumAtRiskError
from tests.fakes.world import World


def hand_over(world: World) -> Outcome:
    return ensure_not_leader.fn(world.run(), world.platform.sources[0], world.platform, world.etcd)


def test_leadership_goes_to_the_target_with_the_highest_index(world: World) -> None:
    world.has_voters("phys-1", "phys-2", "phys-3")

    assert hand_over(world).why == "phys-3 leads now"


def test_leadership_goes_to_no_member_that_is_down(world: World) -> None:
    world.has_voters("phys-1", "phys-2", "phys-3")
    world.etcd.down = {"phys-1", "phys-3"}

    assert hand_over(world).why == "phys-2 leads now"


def test_a_source_that_does_not_lead_hands_nothing_over(world: World) -> None:
    world.has_voters("phys-1")
    world.etcd.leader = world.etcd.called("vm-2").id

    assert hand_over(world) == Outcome(Change.UNCHANGED, "does not lead")


def test_leadership_stays_while_no_target_is_a_voter(world: World) -> None:
    with pytest.raises(RefusedError, match=r"no target is a voter yet.*\[etcd-no-successor\]"):
        hand_over(world)


def test_leadership_stays_while_no_target_answers(world: World) -> None:
    world.has_voters("phys-1")
    world.etcd.down = {"phys-1"}

    with pytest.raises(EtcdUnavailableError, match=r"no target's member answers.*\[etcd-targets-silent\]"):
        hand_over(world)


def test_a_leadership_that_goes_back_is_an_error(world: World) -> None:
    world.has_voters("phys-1")

    def leads_again() -> None:
        world.etcd.leader = world.etcd.called("vm-1").id

    world.etcd.whenever("move_leader", leads_again)

    with pytest.raises(
        DeadlineExceededError,
        match=r"^phys-1 leads etcd: not within .*: etcdctl endpoint status --cluster -w table \[etcd-leader-not-moved\]$",
    ):
        hand_over(world)


def remove(world: World) -> Outcome:
    return ensure_not_member.fn(world.run(), world.platform.sources[0], world.platform, world.etcd)


def test_a_source_leaves_every_members_list(world: World) -> None:
    world.has_voters("phys-1")

    assert remove(world).why == "member 1001 removed, 2 left"
    assert [member.name for member in world.etcd.members()] == ["vm-2", "phys-1"]


def test_a_removal_that_would_lose_the_quorum_is_refused(world: World) -> None:
    world.has_voters("phys-1", "phys-2")
    world.etcd.down = {"phys-1", "phys-2"}

    with pytest.raises(
        QuorumAtRiskError, match="vm-1: removing its etcd member: without vm-1 1 of 3 voters would be up"
    ):
        remove(world)
    assert world.mutations == []


def test_a_removal_that_a_member_has_not_seen_is_an_error(world: World) -> None:
    world.has_voters("phys-1")
    world.etcd.stale["phys-1"] = world.etcd.members()

    with pytest.raises(DeadlineExceededError, match="vm-1 has left every member's list"):
        remove(world)


def test_a_source_leaves_also_while_an_alarm_is_raised(world: World) -> None:
    world.has_voters("phys-1")
    world.etcd.alarms = ("memberID:4097 alarm:NOSPACE ",)

    assert remove(world).why == "member 1001 removed, 2 left"


def test_a_source_that_its_peers_know_by_name_leaves_by_that_name(world: World) -> None:
    world.has_voters("phys-1")
    world.etcd.called_by_name("vm-1")

    assert hand_over(world).why == "phys-1 leads now"
    assert remove(world).why == "member 1001 removed, 2 left"
