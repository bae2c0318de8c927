"""A backup's record goes with its archive, whoever deletes that; no other record does."""

from __future__ import annotations

import pytest

from blocks.errors import AnotherRunError, HostError, VerificationError
from tasks.database.expiry import expire_records
from tasks.engine.outcome import Change, Outcome
from tasks.engine.record import BACKUPS, MIGRATIONS, ROLLBACKS, Record, names_of
from tests.fakes.world import World

OWN, OLD = "20260102-020000", "20250101-020000"


@pytest.fixture
def own(world: World) -> Record:
    """The record of the backup that was just taken; its archive is in the file lake."""
    world.backups.has_archive("tidb-backup-20260102")
    return recorded(world, OWN, "tidb-backup-20260102.tar.gz")


def recorded(world: World, name: str, archive: str | None, kind: str = BACKUPS) -> Record:
    record = Record(world.keys, world.platform.name, name, kind=kind)
    record.write("state", {"state": "finished"})
    record.write("images/new", {"workloads": {"Deployment shop/web": {"main": "app/web:2.0"}}})
    if archive is not None:
        record.write("backup", {"name": archive})
    return record


def expire(world: World, own: Record, *, dry: bool = False) -> Outcome:
    world.forget()
    return expire_records.fn(world.run(dry=dry), world.platform, world.kube, world.keys, own)


def backups(world: World) -> list[str]:
    return names_of(world.keys, world.platform.name, BACKUPS)


def test_the_record_of_a_deleted_archive_is_deleted_whole(world: World, own: Record) -> None:
    recorded(world, OLD, "tidb-backup-20250101.tar.gz")

    outcome = expire(world, own)

    assert (outcome.change, outcome.why) == (Change.CHANGED, "records deleted: 1")
    assert world.keys.names(f"/evenkeel/demo/{BACKUPS}/{OLD}") == []
    assert backups(world) == [OWN]


def test_the_record_of_an_archive_that_is_there_stays(world: World, own: Record) -> None:
    recorded(world, OLD, "tidb-backup-20250101.tar.gz")
    world.backups.has_archive("tidb-backup-20250101")

    assert expire(world, own).why == "every record has its archive"
    assert backups(world) == [OWN, OLD]


def test_the_record_of_a_backup_that_failed_goes_too(world: World, own: Record) -> None:
    recorded(world, OLD, None)

    expire(world, own)

    assert backups(world) == [OWN]


def test_records_of_migrations_and_rollbacks_stay(world: World, own: Record) -> None:
    for kind in (MIGRATIONS, ROLLBACKS):
        recorded(world, OLD, "tidb-backup-20250101.tar.gz", kind)

    assert expire(world, own).change is Change.UNCHANGED
    assert OLD in names_of(world.keys, world.platform.name, MIGRATIONS)
    assert OLD in names_of(world.keys, world.platform.name, ROLLBACKS)


def test_a_list_without_this_runs_own_archive_deletes_nothing_and_is_reported(world: World, own: Record) -> None:
    recorded(world, OLD, "tidb-backup-20250101.tar.gz")
    for host in world.hosts.values():
        host.path("/mnt/uap-global/backup/tidb-backup-20260102.tar.gz").unlink()

    outcome = expire(world, own)

    assert [finding.id for finding in outcome.findings] == ["backup-list-incomplete"]
    assert backups(world) == [OWN, OLD]


def test_a_list_that_cannot_be_had_deletes_nothing(world: World, own: Record) -> None:
    recorded(world, OLD, "tidb-backup-20250101.tar.gz")
    world.kube.fail("exec", HostError("backup-ctl says no"))

    with pytest.raises(HostError):
        expire(world, own)
    assert backups(world) == [OWN, OLD]


def test_records_are_deleted_under_the_lock_only(world: World, own: Record) -> None:
    recorded(world, OLD, "tidb-backup-20250101.tar.gz")
    world.lock.lost = True

    with pytest.raises(AnotherRunError):
        expire(world, own)
    assert backups(world) == [OWN, OLD]


def test_a_record_that_is_written_again_is_an_error(world: World, own: Record) -> None:
    recorded(world, OLD, "tidb-backup-20250101.tar.gz")
    world.keys.whenever("delete", lambda: recorded(world, OLD, "tidb-backup-20250101.tar.gz"))

    with pytest.raises(
        VerificationError,
        match=rf"^demo: the record of backup {OLD} was deleted and is there again: .*etcdctl get .*\[backup-record-left\]$",
    ):
        expire(world, own)


def test_no_images_are_read_to_find_them(world: World, own: Record) -> None:
    for day in range(10, 28):
        recorded(world, f"202501{day}-020000", f"tidb-backup-202501{day}.tar.gz")
    world.keys.values_read.clear()

    expire(world, own)

    assert not [key for key in world.keys.values_read if "images" in key]
