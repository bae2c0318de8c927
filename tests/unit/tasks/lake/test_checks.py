"""Bricks on sources keep the sources, and what hinders a move of them is known before anything is changed."""

import pytest

from tasks.engine.finding import FindingsError
from tasks.engine.outcome import Outcome
from tasks.lake.checks import check_lake, verify_lake
from tests.fakes.gluster import FakeGluster
from tests.fakes.platform import CONFIG, platform
from tests.fakes.world import World
from tests.unit.tasks.cases import lose, with_lake, with_moved, with_probed

PLACE = "/mnt/lake/brick"


def check(world: World) -> Outcome:
    return check_lake.fn(world.run(), world.platform, world.hosts)


def refused(world: World) -> list[str]:
    with pytest.raises(FindingsError) as error:
        check(world)
    return [f"{one.where}: {one.id}" for one in error.value.findings if one.refuses]


def test_without_gluster_there_is_nothing_to_do(world: World) -> None:
    assert check(world).why == "no GlusterFS volume of the platform"
    assert verify_lake.fn(world.run(), world.platform, world.hosts).findings == ()


def test_bricks_on_sources_are_refused_where_they_do_not_move(world: World) -> None:
    with_lake(world, move=False)

    with pytest.raises(FindingsError) as error:
        check(world)
    assert str(error.value).splitlines() == [
        f"{name}: brick {name}:{PLACE} of uap, Replicate 3, lies on it: its data go when the source is switched off: "
        "set backup.lake.move: true, or move it by hand: gluster volume replace-brick [lake-bricks-on-sources]"
        for name in ("vm-1", "vm-2")
    ]


def test_bricks_on_sources_can_be_accepted_for_the_time_being_but_not_when_the_sources_leave(world: World) -> None:
    with_lake(world, move=False)
    accepted = [{"id": "lake-bricks-on-sources", "where": name, "reason": "by hand"} for name in ("vm-1", "vm-2")]
    world.platform = platform(accepted=accepted)

    assert [one.accepted for one in check(world).findings] == ["by hand", "by hand"]
    with pytest.raises(FindingsError, match="but it can't be accepted"):
        verify_lake.fn(world.run(), world.platform, world.hosts)


def test_a_volume_is_the_platforms_by_its_sources_whatever_its_bricks_are_called(world: World) -> None:
    lake = with_lake(world, move=False)
    lake.alter("uap", bricks=["other:/mnt/lake/brick"])

    assert "other:/mnt/lake/brick" in check(world).why


def test_a_source_that_stays_in_the_pool_is_a_warning(world: World) -> None:
    with_lake(world, move=False).alter("uap", bricks=["other:/mnt/lake/brick"])

    assert [(one.where, one.id) for one in check(world).findings] == [(n, "lake-source-in-pool") for n in ("vm-1", "vm-2")]


def test_an_old_platforms_volume_of_the_same_name_is_left_out(world: World) -> None:
    lake = with_lake(world)
    lake.pool("old", "phys-3")
    lake.volume("uap-old", "phys-3:/mnt/lake/old", pool="old", started=False)

    assert "uap-old" not in check(world).why


@pytest.mark.parametrize("installed", [True, False])
def test_a_source_with_volumes_whose_glusterd_is_silent_is_not_one_without(world: World, installed: bool) -> None:
    if installed:
        FakeGluster(world.folder, world.hosts).change(down=["vm-1"])
    world.hosts["vm-1"].write("/var/lib/glusterd/vols/uap/info", "type=2\n")

    assert refused(world) == ["vm-1: lake-glusterd-silent"]


def test_what_the_volume_lacks_is_named(world: World) -> None:
    lake = with_lake(world)
    lake.alter("uap", offline=["vm-2:/mnt/lake/brick"])
    assert refused(world) == ["file lake: lake-brick-offline"]

    lake.alter("uap", started=False)
    assert refused(world) == ["file lake: lake-volume-stopped"]


def test_what_is_left_to_heal_is_a_warning(world: World) -> None:
    with_probed(world)
    world.hosts["vm-1"].run(f"gluster volume replace-brick uap vm-1:{PLACE} 10.0.0.21:{PLACE} commit force", what="given")

    pending = [str(one) for one in check(world).findings if "heal" in one.id]

    assert pending[0] == (
        f"file lake: brick 10.0.0.21:{PLACE} of uap has 2 entries to heal: gluster volume heal uap info; "
        "no further brick is replaced before it shows none [lake-heal-pending]"
    )


def test_a_lost_sources_brick_is_moved_and_its_absence_not_refused(world: World) -> None:
    lose(world, "vm-2", with_lake(world))

    assert [one.id for one in check(world).findings if one.refuses] == []


def test_half_of_the_copies_on_lost_sources_are_refused(world: World) -> None:
    lake = with_lake(world)
    lake.pool("lake", "vm-1", "vm-2", "phys-1")
    lake.alter("uap", bricks=["vm-2:/mnt/lake/brick", "10.0.0.12:/data/brick", "phys-1:/mnt/lake/brick"])
    lose(world, "vm-2", lake)

    assert "file lake: lake-copies-lost" in refused(world)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"kind": "Distribute", "replica": 1}, "lake-type-unmovable"),
        ({"kind": "Disperse", "replica": 1}, "lake-type-unmovable"),
        ({"arbiters": 1}, "lake-few-copies"),
    ],
)
def test_a_type_that_can_not_be_moved_brick_by_brick_is_refused(world: World, more: dict[str, object], expected: str) -> None:
    with_lake(world).alter("uap", **more)

    assert refused(world) == [f"file lake: {expected}"]


def test_two_copies_are_too_few_while_one_is_filled(world: World) -> None:
    with_lake(world).alter("uap", replica=2, bricks=["vm-1:/mnt/lake/brick", "vm-2:/mnt/lake/brick"])

    assert refused(world) == ["file lake: lake-few-copies"]


def test_a_name_that_leads_elsewhere_on_a_target_is_refused(world: World) -> None:
    with_lake(world)
    world.hosts["phys-1"].write("/etc/hosts", "127.0.1.1 phys-1\n127.0.1.1 vm-1\n")
    with pytest.raises(FindingsError) as error:
        check(world)

    assert str(error.value) == (
        "phys-1: /etc/hosts has another address for a machine of the config (127.0.1.1 vm-1): glusterd would look for a peer there: "
        "delete the line [lake-name-ambiguous]"
    )


def test_a_place_that_is_not_empty_or_not_there_or_too_small_is_refused(world: World) -> None:
    with_lake(world)
    world.hosts["phys-1"].write(f"{PLACE}/lost", "a file\n")
    world.hosts["phys-2"].tell("free", "1024")
    assert refused(world) == ["phys-1: lake-place-not-empty", "phys-2: lake-place-short"]


def test_bricks_that_come_to_one_file_system_share_its_room(world: World) -> None:
    with_lake(world).volume("logs", *(f"{name}:/mnt/lake/logs" for name in ("vm-1", "vm-2", "other")))
    for path in (PLACE, "/mnt/lake/logs"):
        for name in ("vm-1", "vm-2"):
            world.hosts[name].write(f"{path}/data", "x" * 400_000)
    world.hosts["phys-1"].tell("disks", "/mnt/lake 600000")
    world.hosts["phys-2"].tell("disks", "/mnt/lake 1000000")

    assert refused(world) == ["phys-1: lake-place-short"]


def test_the_room_of_a_brick_is_its_own_disks_where_that_is_mounted_already(world: World) -> None:
    with_lake(world)
    for name in ("phys-1", "phys-2"):
        world.hosts[name].disk.mkdir(PLACE.lstrip("/"))
        world.hosts[name].tell("disks", f"{PLACE} 1000000000\n/mnt/lake 0")

    assert check(world).findings == ()


def test_a_brick_on_the_root_file_system_is_a_warning(world: World) -> None:
    with_lake(world)
    world.hosts["phys-2"].tell("disks", "/mnt/lake 1000000000")

    assert [(one.where, one.id) for one in check(world).findings] == [("phys-1", "lake-place-on-root")]


def test_a_place_of_the_config_must_have_its_parent(world: World) -> None:
    with_lake(world)
    world.platform = platform(backup={**CONFIG["backup"], "lake": {"move": True, "brick": "/mnt/disk9/brick"}})

    assert refused(world) == ["phys-1: lake-place-missing", "phys-2: lake-place-missing"]


def test_a_target_needs_a_glusterd_of_no_other_pool(world: World) -> None:
    lake = with_lake(world)
    lake.pool("old", "phys-1", "phys-3")
    lake.change(down=["phys-2"])

    assert refused(world) == ["phys-1: lake-other-pool", "phys-2: lake-glusterd-missing"]


def test_every_target_has_a_copy_already(world: World) -> None:
    lake = with_lake(world)
    lake.pool("lake", "phys-1", "phys-2", "phys-3")
    lake.volume("uap", *(f"{name}:{PLACE}" for name in ("vm-1", "phys-1", "phys-2", "phys-3")))

    assert refused(world) == ["vm-1: lake-no-target"]


def test_a_lake_without_a_brick_on_a_source_is_verified_with_the_mounts_that_name_one(world: World) -> None:
    with_moved(world)
    world.hosts["phys-3"].write("/proc/mounts", "vm-1:uap /mnt/uap-global fuse.glusterfs rw 0 0\n")

    findings = verify_lake.fn(world.run(), world.platform, world.hosts).findings
    assert [(one.where, one.id) for one in findings] == [("phys-3", "lake-mounted-from-source")]


def test_the_lake_is_found_by_the_targets_mounts_once_the_sources_are_off(world: World) -> None:
    lake = with_moved(world)
    lake.alter("uap", offline=["10.0.0.21:/mnt/lake/brick"])
    for source in world.platform.sources:
        del world.hosts[source.name]

    with pytest.raises(FindingsError, match="lake-brick-offline"):
        verify_lake.fn(world.run(), world.platform, world.hosts)
