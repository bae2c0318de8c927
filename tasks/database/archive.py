"""A verified backup of the database: taken, read whole, recorded, expired."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath
from shlex import quote

from blocks.errors import RefusedError, VerificationError
from blocks.ports import Host, KubeApi
from configs.platform import Platform
from tasks.database.control import control
from tasks.engine.finding import Finding, note
from tasks.engine.journal import now
from tasks.engine.outcome import Outcome, changed, planned, unchanged
from tasks.engine.record import Facts, Record
from tasks.engine.run import Run
from tasks.engine.step import step
from tasks.shell.script import facts, parse_facts

BACKUP = "backup"
ARCHIVE = re.compile(r"tidb-backup-[0-9A-Za-z-]+\.tar\.gz")


@dataclass(frozen=True)
class Archive:
    """A backup's archive in the file lake. `fault` says why it can't be used, empty when it can."""

    name: str
    size: int
    sha256: str
    fault: str


@step("backup")
def ensure_backup(run: Run, platform: Platform, lake: Host, kube: KubeApi, record: Record) -> Outcome:
    """Make an intact archive of the database exist that was taken for this record: its name, size and checksum kept.

    A pod can report success for a failed backup (pingcap/tidb-operator#2346): the archive itself is read.
    Undo: none needed; archives are never deleted here.
    """
    # probe
    taken = record.read(BACKUP)
    if taken is not None:
        return unchanged(f"taken at {taken['taken']}: {described(taken)}")
    if run.dry_run:
        return planned(f"taken by {platform.backup.control} backup-and-save")
    known = set(_tars(kube, platform))
    _refuse_absent_lake(lake, platform, known)

    # act
    with run.acting(platform.name, "taking a backup"):
        said = control(kube, platform, "backup-and-save", timeout_s=platform.timeouts.backup_s)

    # verify
    names = ARCHIVE.findall(said)
    if not names or names[-1] in known:
        raise VerificationError(
            f"backup: backup-and-save reported success, but named no new archive: {said[-200:]!r}: "
            f"kubectl logs -n {platform.backup.namespace} -l {platform.backup.workload_label}",
            id="backup-archive-unnamed",
        )
    archive = read_archive(lake, platform, names[-1])
    if archive.fault:
        raise VerificationError(
            f"{lake.name}: backup-and-save reported success, but {archive.fault}: "
            f"kubectl logs -n {platform.backup.namespace} -l {platform.backup.workload_label}, then run again",
            id="backup-archive-unusable",
        )
    kept = {"taken": now(), "name": archive.name, "size": archive.size, "sha256": archive.sha256}
    record.write(BACKUP, kept)
    return changed(f"taken: {described(kept)}", findings=_of_today(lake, known))


def described(taken: Facts) -> str:
    """A recorded backup in words."""
    return f"{taken['name']}, {taken['size']} bytes, sha256 {taken['sha256'][:12]}"


def read_archive(lake: Host, platform: Platform, name: str) -> Archive:
    """The archive as it lies in the file lake, read whole: gzip's and tar's own checks, and its checksum."""
    path = f"{platform.backup.lake}/{name}"
    file = quote(path)
    script = facts(
        {
            "size": f"stat -c %s {file}",
            "gzip": f"gzip -t {file} 2>&1 && tar -tzf {file} >/dev/null 2>&1 && echo intact",
            "sha256": f"sha256sum {file} | cut -d' ' -f1",
        }
    )
    said = parse_facts(lake.run(script, what=f"reading {path}", timeout_s=platform.timeouts.backup_s).stdout)
    size = int(said["size"] or 0)
    fault = ""
    if not said["size"]:
        fault = f"there is no {path}"
    elif size == 0:
        fault = f"{path} is empty"
    elif not said["gzip"].endswith("intact"):
        fault = f"{path} is damaged: {said['gzip'].strip() or 'tar does not read it'}"
    return Archive(name, size, said["sha256"], fault)


@step("expire backups")
def expire_backups(
    run: Run, lake: Host, platform: Platform, kube: KubeApi, *, keep: Collection[str] = ()
) -> Outcome:
    """Make the report list the archives that are past their expiry; only with `backup.delete_expired` are they deleted.

    Those to `keep` are neither listed nor deleted: the last migration's way back. Undo: none for what is deleted.
    """
    # probe
    if run.dry_run:
        return planned(f"archives older than {platform.backup.expired_days} days are listed")
    days = platform.backup.expired_days
    oldest = (datetime.now(UTC) - timedelta(days=days)).date().isoformat()
    others = [name for name in _tars(kube, platform) if name not in keep]
    expired = [name for name in others if (day := _day(name)) is not None and day < oldest]
    if not expired or not platform.backup.delete_expired:
        remedy = f"rm it in {platform.backup.lake}, or set backup.delete_expired"
        listed = [note("backup-expired", lake.name, f"{name} is older than {days} days", remedy) for name in expired]
        return unchanged(f"{len(expired)} archives older than {days} days", findings=tuple(listed))

    # act
    with run.acting(lake.name, f"deleting {', '.join(expired)}"):
        paths = " ".join(quote(f"{platform.backup.lake}/{name}") for name in expired)
        lake.run(f"rm -f {paths}", what="deleting expired archives", timeout_s=platform.timeouts.command_s)

    # verify
    left = sorted(set(expired).intersection(_tars(kube, platform)))
    if left:
        raise VerificationError(
            f"{lake.name}: rm succeeded, but backup-ctl still lists {', '.join(left)}: ls -l {platform.backup.lake} there",
            id="backup-not-deleted",
        )
    return changed(f"deleted: {', '.join(expired)}")


def _tars(kube: KubeApi, platform: Platform) -> list[str]:
    return ARCHIVE.findall(control(kube, platform, "ls-tar", timeout_s=platform.timeouts.command_s))


def _of_today(lake: Host, known: Collection[str]) -> tuple[Finding, ...]:
    """A note about a backup that was there today before ours: names hold the day."""
    today = sorted(name for name in known if f"{datetime.now(UTC):%Y%m%d}" in name)
    if not today:
        return ()
    return (note("backup-second-today", lake.name, f"today's backup {today[-1]} is kept, the new one got another name"),)


def _day(name: str) -> str | None:
    found = re.search(r"(\d{4})(\d{2})(\d{2})", name)
    return "-".join(found.groups()) if found else None


def _refuse_absent_lake(lake: Host, platform: Platform, known: Collection[str]) -> None:
    # backup-ctl makes its own folder with the first backup; what it lies in is the file lake. A mount point without its
    # mount is a folder, too: the archives that backup-ctl lists are not there.
    mounted = quote(str(PurePosixPath(platform.backup.lake).parent))
    listed = "".join(f" && test -e {quote(f'{platform.backup.lake}/{name}')}" for name in sorted(known)[-1:])
    if lake.run(f"test -d {mounted}{listed}", what="looking for the file lake", check=False).exit_code != 0:
        raise RefusedError(
            f"{lake.name}: {platform.backup.lake} is not the folder that backup-ctl writes to: mount the file lake there "
            "(mount -t glusterfs localhost:uap-global ...), or write backup.lake",
            id="file-lake-absent",
        )
