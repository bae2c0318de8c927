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
from tasks.database.control import await_detached, control, control_detached
from tasks.engine.finding import Finding, note
from tasks.engine.journal import now
from tasks.engine.outcome import Outcome, changed, planned, unchanged
from tasks.engine.record import Facts, Record
from tasks.engine.run import Run
from tasks.engine.step import step
from tasks.shell.script import facts, parse_facts

BACKUP = "backup"
BEGUN = "backup-begun"  # which archives there were before; with it the next run finds what a killed one has taken


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
    _refuse_absent_lake(lake, platform, set(list_archives(kube, platform)))
    await_detached(kube, platform, timeout_s=platform.timeouts.backup_s)

    # act
    with run.acting(platform.name, "taking a backup"):
        archive = _left_by_a_killed_run(lake, platform, record) or _take(lake, platform, kube, record)

    # verify
    if archive.fault:
        raise VerificationError(
            f"{lake.name}: backup-and-save reported success, but {archive.fault}: "
            f"kubectl logs -n {platform.backup.namespace} -l {platform.backup.workload_label}, then run again",
            id="backup-archive-unusable",
        )
    kept = {"taken": now(), "name": archive.name, "size": archive.size, "sha256": archive.sha256}
    record.write(BACKUP, kept)
    return changed(f"taken: {described(kept)}", findings=_of_today(lake, archive.name, record))


def _take(lake: Host, platform: Platform, kube: KubeApi, record: Record) -> Archive:
    """A new archive: one that was not there before, or not with this size and time. Names may be used again on one day."""
    before = _stats(lake, platform)
    record.write(BEGUN, {"before": before})
    said = control_detached(kube, platform, "backup-and-save", timeout_s=platform.timeouts.backup_s)
    new = _new(lake, platform, record)
    named = [name for name in names_in(said, platform) if name in new or name not in before]
    if not named and not new:
        raise VerificationError(
            f"backup: backup-and-save reported success, but it named no new archive, and none in {platform.backup.lake.folder} has "
            f"changed: {said[-200:]!r}: kubectl logs -n {platform.backup.namespace} -l {platform.backup.workload_label}",
            id="backup-archive-unnamed",
        )
    return read_archive(lake, platform, (named or new)[-1])


def described(taken: Facts) -> str:
    """A recorded backup in words."""
    return f"{taken['name']}, {taken['size']} bytes, sha256 {taken['sha256'][:12]}"


def _left_by_a_killed_run(lake: Host, platform: Platform, record: Record) -> Archive | None:
    """The archive that was taken for this record, and whose answer nobody has heard."""
    new = _new(lake, platform, record)
    archive = read_archive(lake, platform, new[-1]) if new else None
    return archive if archive is not None and not archive.fault else None


def _new(lake: Host, platform: Platform, record: Record) -> list[str]:
    """The names of archives that are not as they were when this record's backup was begun, the newest last."""
    begun = record.read(BEGUN)
    now_there = _stats(lake, platform) if begun else {}
    new = [name for name, stat in now_there.items() if stat != (begun or {})["before"].get(name)]
    return sorted(new, key=lambda name: now_there[name][1])


def _stats(lake: Host, platform: Platform) -> dict[str, list[int]]:
    """Every archive's size and time, by its name."""
    script = facts({"archives": f"stat -c '%s %Y %n' {quote(platform.backup.lake.folder)}/*"})
    said = parse_facts(lake.run(script, what="listing archives", timeout_s=platform.timeouts.command_s).stdout)["archives"]
    lines = [line.split(" ", 2) for line in said.splitlines()]
    found = {PurePosixPath(path).name: [int(size), int(time)] for size, time, path in lines}
    return {name: stat for name, stat in found.items() if platform.backup.archives.fullmatch(name)}


def names_in(said: str, platform: Platform) -> list[str]:
    """The archives that the control script names."""
    return [found[0] for found in platform.backup.archives.finditer(said)]


def read_archive(lake: Host, platform: Platform, name: str) -> Archive:
    """The archive as it lies in the file lake, read whole: gzip's and tar's own checks, and its checksum."""
    path = f"{platform.backup.lake.folder}/{name}"
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
    days = platform.backup.expired_days
    if run.dry_run and not platform.backup.delete_expired:
        return unchanged(f"archives older than {days} days are only listed")
    if run.dry_run:
        return planned(f"archives older than {days} days are deleted")
    oldest = (datetime.now(UTC) - timedelta(days=days)).date().isoformat()
    others = [name for name in list_archives(kube, platform) if name not in keep]
    expired = [name for name in others if (day := _day(name)) is not None and day < oldest]
    if not expired or not platform.backup.delete_expired:
        remedy = f"rm it in {platform.backup.lake.folder}, or set backup.delete_expired"
        listed = [note("backup-expired", lake.name, f"{name} is older than {days} days", remedy) for name in expired]
        return unchanged(f"{len(expired)} archives older than {days} days", findings=tuple(listed))

    # act
    with run.acting(lake.name, f"deleting {', '.join(expired)}"):
        paths = " ".join(quote(f"{platform.backup.lake.folder}/{name}") for name in expired)
        lake.run(f"rm -f {paths}", what="deleting expired archives", timeout_s=platform.timeouts.command_s)

    # verify
    left = sorted(set(expired).intersection(list_archives(kube, platform)))
    if left:
        raise VerificationError(
            f"{lake.name}: rm succeeded, but backup-ctl still lists {', '.join(left)}: ls -l {platform.backup.lake.folder} there",
            id="backup-not-deleted",
        )
    return changed(f"deleted: {', '.join(expired)}")


def list_archives(kube: KubeApi, platform: Platform) -> list[str]:
    """What backup-ctl itself lists."""
    return names_in(control(kube, platform, "ls-tar", timeout_s=platform.timeouts.command_s), platform)


def _of_today(lake: Host, name: str, record: Record) -> tuple[Finding, ...]:
    """A note about a backup that was there today before ours: names hold the day."""
    before = (record.read(BEGUN) or {"before": {}})["before"]
    if name in before:
        what = f"{name} was there already, backup-ctl has replaced it: what it held before is gone"
        return (note("backup-replaced", lake.name, what),)
    today = sorted(other for other in before if f"{datetime.now(UTC):%Y%m%d}" in other)
    if not today:
        return ()
    return (note("backup-second-today", lake.name, f"today's backup {today[-1]} is kept, the new one got another name"),)


def _day(name: str) -> str | None:
    found = re.search(r"(\d{4})(\d{2})(\d{2})", name)
    return "-".join(found.groups()) if found else None


def _refuse_absent_lake(lake: Host, platform: Platform, known: Collection[str]) -> None:
    # backup-ctl makes its own folder with the first backup; what it lies in is the file lake. A mount point without its
    # mount is a folder, too: the archives that backup-ctl lists are not there.
    mounted = quote(str(PurePosixPath(platform.backup.lake.folder).parent))
    listed = "".join(f" && test -e {quote(f'{platform.backup.lake.folder}/{name}')}" for name in sorted(known)[-1:])
    if lake.run(f"test -d {mounted}{listed}", what="looking for the file lake", check=False).exit_code != 0:
        raise RefusedError(
            f"{lake.name}: {platform.backup.lake.folder} is not the folder that backup-ctl writes to: mount the file lake there "
            "(mount -t glusterfs localhost:uap-global ...), or write backup.lake.folder",
            id="file-lake-absent",
        )
