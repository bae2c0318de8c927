"""A source's etcd leaves its data behind."""

import pytest

from blocks.errors import RefusedError, VerificationError
from tasks.engine.outcome import Change, Outcome
from tasks.etcd.leave import ensure_etcd_retired
from tests.fakes.world import World
from tests.unit.tasks.cases import removed

DATA = "/mnt/disks/etcd"


def retire(world: World) -> Outcome:
    source = world.platform.sources[0]
    return ensure_etcd_retired.fn(world.run(), world.hosts["vm-1"], world.platform, source, world.etcd, "m1")


def test_etcds_data_is_kept_aside(world: World) -> None:
    removed(world)

    retire(world)

    host = world.hosts["vm-1"]
    assert host.unit_state("etcd") == ("inactive", "disabled")
    assert host.read(f"{DATA}.aside-m1/member/snap/db") == "data\n"


def test_etcds_data_on_its_own_disk_is_kept_aside_there(world: World) -> None:
    removed(world)
    world.hosts["vm-1"].mount(DATA, "ext4")

    retire(world)

    assert world.hosts["vm-1"].read(f"{DATA}/.aside-m1/member/snap/db") == "data\n"
    assert retire(world).change is Change.UNCHANGED


def test_an_older_copy_aside_is_not_overwritten(world: World) -> None:
    removed(world)
    world.hosts["vm-1"].write(f"{DATA}.aside-m1/older", "x\n")

    retire(world)

    assert world.hosts["vm-1"].read(f"{DATA}.aside-m1/older") == "x\n"
    assert not world.hosts["vm-1"].path(DATA).exists()


def test_a_members_data_is_not_touched(world: World) -> None:
    world.has_moved()

    with pytest.raises(RefusedError, match=r"it is still member 1001: remove the member first \[etcd-still-member\]"):
        retire(world)
    assert world.mutations == []


def test_an_etcd_that_does_not_stop_is_an_error(world: World) -> None:
    removed(world)
    world.hosts["vm-1"].tell("units/etcd/stubborn", "yes")

    with pytest.raises(VerificationError, match=r"the unit is active disabled: .*\[etcd-not-retired\]"):
        retire(world)
