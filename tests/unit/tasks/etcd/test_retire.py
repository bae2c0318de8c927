"""A source's etcd leaves its data behind."""

import pytest

from blocks.errors import RefusedError, VerificationError
from tasks.engine.outcome import Change, Outcome
from tasks.etcd.leave import ensure_etcd_retired
from tests.fakes import machines
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


UNIT = "/etc/systemd/system/etcd.service"
ELSEWHERE = "/var/lib/etcd/default.etcd"


def packaged(world: World) -> None:
    """An etcd of a distribution's package: its folder is written in a file of variables."""
    removed(world)
    host = world.hosts["vm-1"]
    host.run(f"rm -rf {DATA}", what="given")
    host.write(UNIT, "[Service]\nEnvironmentFile=-/etc/etcd/etcd.conf\nExecStart=/usr/local/bin/etcd --name vm-1\n")
    host.write("/etc/etcd/etcd.conf", f'ETCD_NAME="vm-1"\nETCD_DATA_DIR="{host.root}{ELSEWHERE}"\n')
    host.tell("units/etcd/pid", "0")


def test_data_that_lie_elsewhere_are_kept_aside_there(world: World) -> None:
    packaged(world)
    world.hosts["vm-1"].write(f"{ELSEWHERE}/member/snap/db", "data\n")

    assert retire(world).why == f"etcd is off and disabled, its data is in {ELSEWHERE}.aside-m1"

    assert world.hosts["vm-1"].read(f"{ELSEWHERE}.aside-m1/member/snap/db") == "data\n"
    assert retire(world).why == f"etcd is off and disabled, no data in {ELSEWHERE}"


def test_data_that_were_never_there_are_not_said_to_be_kept(world: World) -> None:
    packaged(world)

    assert retire(world).why == f"etcd is off and disabled, there was no data in {ELSEWHERE}"


def test_what_else_lies_in_the_targets_folder_stays_on_a_source(world: World) -> None:
    packaged(world)
    world.hosts["vm-1"].write(f"{DATA}/somebody/else", "x\n")

    retire(world)

    assert world.hosts["vm-1"].read(f"{DATA}/somebody/else") == "x\n"


def test_data_behind_a_link_are_kept_aside_where_they_lie(world: World) -> None:
    packaged(world)
    host = world.hosts["vm-1"]
    host.write("/var/big/etcd/member/snap/db", "data\n")
    host.run(f"mkdir -p /var/lib/etcd; ln -s /var/big/etcd {ELSEWHERE}", what="given")

    retire(world)

    assert host.read("/var/big/etcd.aside-m1/member/snap/db") == "data\n"


def test_a_log_of_writes_on_a_disk_of_its_own_is_kept_aside_too(world: World) -> None:
    removed(world)
    host = world.hosts["vm-1"]
    machines.run_etcd(host, f"--wal-dir={host.root}/var/lib/etcd-wal")
    host.write("/var/lib/etcd-wal/0.wal", "wal\n")

    assert retire(world).why == f"etcd is off and disabled, its data is in {DATA}.aside-m1 and /var/lib/etcd-wal.aside-m1"


def test_a_folder_of_a_config_file_is_found(world: World) -> None:
    removed(world)
    host = world.hosts["vm-1"]
    host.write("/etc/etcd.yml", f"name: vm-1\ndata-dir: {host.root}{ELSEWHERE}\n")
    host.write(f"{ELSEWHERE}/member/snap/db", "data\n")
    machines.run_etcd(host, f"--config-file={host.root}/etc/etcd.yml")

    retire(world)

    assert host.read(f"{ELSEWHERE}.aside-m1/member/snap/db") == "data\n"


def test_data_in_a_folder_that_nobody_names_are_a_warning_and_etcd_is_off_all_the_same(world: World) -> None:
    removed(world)
    world.hosts["vm-1"].tell("units/etcd/pid", "0")
    world.hosts["vm-1"].write(UNIT, "[Service]\nExecStart=/usr/local/bin/etcd --name vm-1\n")

    (found,) = retire(world).findings

    assert str(found).startswith("vm-1: its etcd's data stay where they are: vm-1.etcd in the working folder of its unit")
    assert world.hosts["vm-1"].unit_state("etcd") == ("inactive", "disabled")
    assert retire(world).change is Change.UNCHANGED


def test_in_a_folder_that_etcd_shares_only_its_own_data_are_moved(world: World) -> None:
    packaged(world)
    host = world.hosts["vm-1"]
    host.write(f"{ELSEWHERE}/member/snap/db", "data\n")
    host.write(f"{ELSEWHERE}/registry/blob", "x\n")

    assert retire(world).why == f"etcd is off and disabled, its data is in {ELSEWHERE}/member.aside-m1"

    assert host.read(f"{ELSEWHERE}/registry/blob") == "x\n"
    assert retire(world).change is Change.UNCHANGED
