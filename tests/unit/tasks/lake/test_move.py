"""Bricks move one at a time, each filled before the next; a run that was killed is continued."""

import pytest

from blocks.errors import DeadlineExceededError, HostError, RefusedError, VerificationError
from tasks.engine.finding import FindingsError
from tasks.engine.outcome import Change, Outcome
from tasks.lake.bricks import ensure_brick_moved, slots
from tasks.lake.lake import read_lake
from tasks.lake.peers import ensure_detached, ensure_peer
from tests.fakes.clock import FakeTime
from tests.fakes.world import World
from tests.unit.tasks.cases import lose, with_lake, with_moved, with_probed

OLD, NEW = "vm-{}:/mnt/lake/brick", "10.0.0.2{}:/mnt/lake/brick"
OTHER = "other:/mnt/lake/brick"


def move(world: World, index: int) -> Outcome:
    slot = slots(read_lake(world.platform, world.hosts))[index]
    return ensure_brick_moved.fn(world.run(), slot, world.platform, world.hosts)


def test_each_brick_goes_to_a_target_of_its_own_and_the_order_of_the_volume_stays(world: World) -> None:
    lake = with_probed(world)

    changes = [move(world, index).change for index in (0, 1, 2)]

    assert changes == [Change.CHANGED, Change.CHANGED, Change.UNCHANGED]
    assert lake.bricks("uap") == [NEW.format(1), NEW.format(2), OTHER]


def test_a_lost_sources_brick_goes_first_and_is_not_waited_for(world: World) -> None:
    lake = with_probed(world)
    lose(world, "vm-2", lake)

    order = slots(read_lake(world.platform, world.hosts))
    changes = [ensure_brick_moved.fn(world.run(), slot, world.platform, world.hosts).change for slot in order]

    assert [slot.index for slot in order] == [1, 0, 2]
    assert changes == [Change.CHANGED, Change.CHANGED, Change.UNCHANGED]
    assert lake.bricks("uap") == [NEW.format(1), NEW.format(2), OTHER]


def test_a_target_need_not_have_mounted_the_lake(world: World) -> None:
    lake = with_probed(world)
    for target in world.platform.targets:
        world.hosts[target.name].write("/proc/mounts", "proc /proc proc rw 0 0\n")

    assert [move(world, index).change for index in (0, 1)] == [Change.CHANGED, Change.CHANGED]
    assert lake.bricks("uap") == [NEW.format(1), NEW.format(2), OTHER]


def test_the_next_brick_waits_until_the_last_one_is_filled(world: World, time: FakeTime) -> None:
    lake = with_probed(world)
    lake.change(polls=8)

    begun = time.now()
    assert "filled" in move(world, 0).why
    assert time.now() - begun > 20


def test_a_killed_runs_brick_is_waited_for_and_not_replaced_again(world: World, time: FakeTime) -> None:
    lake = with_probed(world)
    world.hosts["vm-1"].run(f"gluster volume replace-brick uap {OLD.format(1)} {NEW.format(1)} commit force", what="killed")
    lake.change(polls=5)
    world.forget()

    outcome = move(world, 0)

    assert outcome.change is Change.UNCHANGED
    assert lake.bricks("uap")[0] == NEW.format(1)
    assert world.mutations == []


def test_a_brick_that_is_never_filled_is_reported_with_what_is_left(world: World) -> None:
    lake = with_probed(world)
    lake.change(polls=10**7)

    with pytest.raises(DeadlineExceededError, match=r"uap has all its copies: not within 100 s: .* entries to heal: .*lake-not-healed"):
        move(world, 0)
    assert lake.bricks("uap")[1] == OLD.format(2)


def test_no_brick_is_replaced_while_another_is_offline(world: World) -> None:
    lake = with_probed(world)
    lake.alter("uap", offline=[OTHER])

    with pytest.raises(DeadlineExceededError, match="other:/mnt/lake/brick offline"):
        move(world, 0)
    assert lake.bricks("uap")[0] == OLD.format(1)
    assert world.mutations == []


def test_a_place_that_was_filled_since_preflight_is_refused(world: World) -> None:
    lake = with_probed(world)
    world.hosts["phys-1"].write("/mnt/lake/brick/foreign", "data\n")

    with pytest.raises(FindingsError, match="lake-place-not-empty"):
        move(world, 0)
    assert lake.bricks("uap")[0] == OLD.format(1)


def test_what_gluster_refuses_is_quoted(world: World) -> None:
    lake = with_lake(world)  # no target is a peer yet

    with pytest.raises(HostError, match=r"vm-1: gluster volume replace-brick .*: Host phys-1 is not in 'Peer in Cluster' state: "):
        move(world, 0)
    assert lake.bricks("uap")[0] == OLD.format(1)


def test_a_target_joins_by_its_address(world: World) -> None:
    lake = with_lake(world)

    outcome = ensure_peer.fn(world.run(), world.platform.targets[1], world.platform, world.hosts)

    assert outcome.change is Change.CHANGED
    assert "phys-2" in lake.peers()


def test_a_target_that_has_got_a_pool_of_its_own_is_refused(world: World) -> None:
    lake = with_lake(world)
    lake.pool("old", "phys-1", "phys-3")

    with pytest.raises(RefusedError, match="lake-target-unfit"):
        ensure_peer.fn(world.run(), world.platform.targets[0], world.platform, world.hosts)
    assert world.mutations == []


def test_a_source_with_a_brick_is_not_detached(world: World) -> None:
    with_moved(world).alter("uap", bricks=[OLD.format(1), NEW.format(2), OTHER])

    with pytest.raises(RefusedError, match="lake-peer-has-brick"):
        ensure_detached.fn(world.run(), world.platform.sources[0], world.platform, world.hosts)
    assert world.mutations == []


def test_a_source_whose_glusterd_is_off_is_detached_all_the_same(world: World) -> None:
    lake = with_moved(world)
    lake.change(down=["vm-2"])

    assert ensure_detached.fn(world.run(), world.platform.sources[1], world.platform, world.hosts).change is Change.CHANGED
    assert "vm-2" not in lake.peers()


def test_a_brick_that_somebody_else_changes_at_the_same_time_is_an_error(world: World) -> None:
    lake = with_probed(world)
    for host in world.hosts.values():
        host.whenever("replace-brick", lambda: lake.alter("uap", bricks=[OLD.format(1), OLD.format(2), OTHER]))

    with pytest.raises(
        VerificationError, match=r"^uap brick 1: gluster replaced .*: gluster volume info uap \[lake-brick-not-replaced\]$"
    ):
        move(world, 0)


def test_a_target_that_the_pool_does_not_reach_has_not_joined(world: World) -> None:
    lake = with_lake(world)
    world.hosts["vm-1"].whenever("peer probe", lambda: lake.change(down=["phys-2"]))

    with pytest.raises(
        DeadlineExceededError,
        match=r"^phys-2 is a connected peer of vm-1: not within 20 s: gluster peer status on .*\[lake-peer-not-joined\]$",
    ):
        ensure_peer.fn(world.run(), world.platform.targets[1], world.platform, world.hosts)


def test_a_source_that_is_counted_again_has_not_left(world: World) -> None:
    lake = with_moved(world)
    world.hosts["phys-1"].whenever("peer detach", lambda: lake.pool("lake", "vm-1"))

    with pytest.raises(
        DeadlineExceededError,
        match=r"^vm-1 has left the file lake's pool: not within 20 s: gluster pool list on phys-1, phys-2 \[lake-peer-not-detached\]$",
    ):
        ensure_detached.fn(world.run(), world.platform.sources[0], world.platform, world.hosts)
