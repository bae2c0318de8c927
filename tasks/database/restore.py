"""The database's data, brought back from a backup by backup-ctl and TiDB's operator."""

from __future__ import annotations

from blocks.errors import HostError
from blocks.ports import Host, KubeApi, RestoreObject
from configs.platform import Platform
from tasks.database.archive import Archive, read_archive
from tasks.database.control import await_detached, control, control_detached
from tasks.engine.check import check
from tasks.engine.finding import Checked, Findings
from tasks.engine.journal import now
from tasks.engine.outcome import Outcome, changed, planned, unchanged
from tasks.engine.record import Facts, Record
from tasks.engine.run import Run
from tasks.engine.step import step
from tasks.engine.waiting import wait_until
from tasks.shell.script import facts, parse_facts

RESTORE, RESTORED = "restore", "restored"
COMPLETE = "Complete"
FAILED = ("Failed", "Invalid")  # of an invalid one TiDB's operator takes no further note
SPACE = 3  # the archive, its unpacked files, and what the database grows by while they are loaded


@check("check backup-ctl")
def check_control(platform: Platform, kube: KubeApi) -> Checked:
    """backup-ctl answers. Raises what `control` does when it does not."""
    control(kube, platform, "ls-tar", timeout_s=platform.timeouts.command_s)
    return Checked("answers")


@check("check restore objects")
def check_restores(platform: Platform, kube: KubeApi, name: str) -> Checked:
    """The cluster has TiDB's kind for restores. Raises HostError when it has not."""
    present = kube.restore_object(platform.rollback.restores_namespace, name)
    return Checked(f"{name} is {present.phase or 'begun'}" if present else f"none for {name}")


@check("check archive")
def check_archive(lake: Host, platform: Platform, name: str, recorded: Facts | None) -> Checked:
    """The archive is in the file lake, intact, the very one that was recorded, and there is room to unpack it."""
    found, another = Findings(lake.name), f"choose another with backup=NAME: ls {platform.backup.lake.folder}"
    archive = read_archive(lake, platform, f"{name}.tar.gz")
    if archive.fault:
        remedy = f"{another} there, where the file lake must be mounted"
        found.refuse("archive-unusable", archive.fault, remedy, final=True)
        return found.checked(archive.fault)
    if recorded is None:
        found.note("archive-unrecorded", f"{archive.name} is in no record of ours: its checksum can't be compared")
    elif archive.sha256 != recorded["sha256"]:
        found.refuse(
            "archive-changed",
            f"{archive.name} has sha256 {archive.sha256[:12]}, recorded was {recorded['sha256'][:12]}: it was changed since",
            f"{another} there",
            final=True,
        )
    _judge_space(found, lake, platform, archive)
    return found.checked(f"{archive.name} is intact, {archive.size} bytes")


def _judge_space(found: Findings, lake: Host, platform: Platform, archive: Archive) -> None:
    question = facts({"free": f"df --output=avail -B1 {platform.backup.lake.folder} | tail -n1"})
    free = int(parse_facts(lake.run(question, what="asking for free space").stdout)["free"] or 0)
    if free < SPACE * archive.size:
        found.refuse(
            "archive-no-space",
            f"{free >> 20} MB free in {platform.backup.lake.folder}, {SPACE * archive.size >> 20} MB are needed to unpack {archive.name}",
            f"make room: du -sh {platform.backup.lake.folder}/* there",
        )


@step("restore data")
def ensure_restored(run: Run, platform: Platform, kube: KubeApi, record: Record, name: str) -> Outcome:
    """Make the database's data be those of the backup `name`, once per rollback.

    A restore that a killed run began is awaited, one that failed is begun anew. Undo: a rollback to another backup.
    """
    # probe
    done = record.read(RESTORED)
    if done is not None:
        return unchanged(f"{done['name']} was restored at {done['at']}")
    if run.dry_run:
        return planned(f"{name} is loaded and restored; rows written since it was taken are lost")
    await_detached(kube, platform, timeout_s=platform.timeouts.restore_s)
    running = restore_of_ours(kube, platform, record, name)

    # act
    with run.acting(platform.name, f"restoring {name}"):
        if running is None:
            _begin(kube, platform, record, name)

    # verify
    namespace, seen = platform.rollback.restores_namespace, list[RestoreObject | None]()

    def has_ended() -> bool:
        seen[:] = [kube.restore_object(namespace, name)]
        return _is_over(seen[0], record, name)

    wait_until(
        f"restore {namespace}/{name} ends",
        has_ended,
        timeout_s=platform.timeouts.restore_s,
        poll_s=2,
        still=lambda: _described(seen[0]) if seen else "",
        id="restore-not-ended",
    )
    ended = seen[0]
    if ended is None or ended.phase != COMPLETE:
        raise HostError(
            f"restore {namespace}/{name}: {_described(ended)}: kubectl describe restores.pingcap.com {name} -n {namespace}",
            id="restore-failed",
        )
    record.write(RESTORED, {"name": name, "uid": ended.uid, "at": now()})
    return changed(f"{name} is restored")


def _begin(kube: KubeApi, platform: Platform, record: Record, name: str) -> None:
    """Clear what an earlier restore of this backup left, load it, note the intent, restore."""
    timeout_s = platform.timeouts.restore_s
    loaded = control(kube, platform, "ls-backup", timeout_s=platform.timeouts.command_s).split()
    if name in loaded or kube.restore_object(platform.rollback.restores_namespace, name) is not None:
        control_detached(kube, platform, "rm-backup", f"--name={name}", timeout_s=timeout_s)
    control_detached(kube, platform, "load", f"--name={name}", timeout_s=timeout_s)
    left = kube.restore_object(platform.rollback.restores_namespace, name)
    record.write(RESTORE, {"name": name, "intended": now(), "before": left.uid if left else None})
    control_detached(kube, platform, "restore", f"--name={name}", timeout_s=timeout_s)


def restore_of_ours(kube: KubeApi, platform: Platform, record: Record, name: str) -> RestoreObject | None:
    """The restore that this rollback began and that has not failed."""
    found = kube.restore_object(platform.rollback.restores_namespace, name)
    return found if found is not None and found.phase not in FAILED and _is_ours(found, record, name) else None


def _is_ours(found: RestoreObject, record: Record, name: str) -> bool:
    """Whether it is another object than was there before our intent. Clocks are not compared: the API server's may be behind ours."""
    intent = record.read(RESTORE)
    return intent is not None and intent["name"] == name and found.uid != intent["before"]


def _described(found: RestoreObject | None) -> str:
    """Phase and message, as the operator has them at this moment."""
    return ": ".join(filter(None, (found.phase, found.message))) if found else "it is gone"


def _is_over(found: RestoreObject | None, record: Record, name: str) -> bool:
    if found is None or found.phase in FAILED:
        return True
    return found.phase == COMPLETE and _is_ours(found, record, name)
