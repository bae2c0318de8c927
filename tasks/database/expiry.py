"""Backups' records go with their archives: each is as big as the platform has workloads, and there is one per night."""

from __future__ import annotations

from blocks.errors import VerificationError
from blocks.ports import KeyValues, KubeApi
from configs.platform import Platform
from tasks.database.archive import BACKUP, list_archives
from tasks.engine.finding import warning
from tasks.engine.outcome import Outcome, changed, planned, unchanged
from tasks.engine.record import BACKUPS, Record, names_of
from tasks.engine.run import Run
from tasks.engine.step import step


@step("expire backup records")
def expire_records(run: Run, platform: Platform, kube: KubeApi, keys: KeyValues, record: Record) -> Outcome:
    """Make every scheduled backup's record have its archive: one whose archive was deleted, by anybody, is deleted too.

    This run's own `record` stays, and so do all migrations' records. Undo: none needed; their archives are gone.
    """
    # probe
    if run.dry_run:
        return planned("records of deleted archives are deleted")
    own = (record.read(BACKUP) or {}).get("name")
    listed = set(list_archives(kube, platform))
    if own not in listed:  # an empty list of a file lake that is not mounted would delete every record
        what = f"backup-ctl does not list {own or 'a backup of this run'}: no other backup's record is deleted"
        remedy = f"see in its pod with {platform.backup.control} ls-tar whether the file lake is mounted"
        return unchanged("the list is not complete", findings=(warning("backup-list-incomplete", platform.name, what, remedy),))
    gone = _without_archive(keys, platform, listed, record)
    if not gone:
        return unchanged("every record has its archive")

    # act
    with run.acting(platform.name, f"deleting records of backups whose archives are gone: {len(gone)}"):
        for one in gone:
            one.forget()

    # verify
    left = _without_archive(keys, platform, listed, record)
    if left:
        raise VerificationError(
            f"{platform.name}: the record of backup {left[0].name} was deleted and is there again: see with "
            f"etcdctl get --prefix --keys-only /evenkeel/{platform.name}/{BACKUPS}/ who writes it",
            id="backup-record-left",
        )
    return changed(f"records deleted: {len(gone)}")


def _without_archive(keys: KeyValues, platform: Platform, listed: set[str], own: Record) -> list[Record]:
    """The records of the other backups, of failed ones too, whose archives are not listed. Only small facts are read."""
    others = [Record(keys, platform.name, name, kind=BACKUPS) for name in names_of(keys, platform.name, BACKUPS)]
    return [one for one in others if one.name != own.name and (one.read(BACKUP) or {}).get("name") not in listed]
