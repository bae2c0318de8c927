"""The way back: the data of a backup, the images of before. It works whatever state a migration was left in."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from prefect import flow

from configs.database import Database
from configs.errors import ConfigError, EvenkeelError, RefusedError
from configs.load import load_platform
from flows.gate import refuse_unapproved, require_approval
from flows.session import Session, open_session
from tasks.accounts import check_database, ensure_accounts
from tasks.backup_ctl import control
from tasks.images import Images, check_images, ensure_images, recorded_images, wanted_images
from tasks.record import BACKUPS, MIGRATIONS, Facts, Record, names_of, open_rollback
from tasks.restore import RESTORE, RESTORED, check_archive, ensure_restored
from tasks.tidb import BACKUP, described
from tasks.workloads import NEW
from tasks.writers import ensure_quiesced, ensure_writer_back, find_workload

PLAN = "plan"

What = Literal["both", "data", "images"]


@flow(name="rollback", flow_run_name="rollback {config}, {what}, dry run: {dry_run}")
def rollback(
    config: str = "configs/prod.yaml",
    what: What = "both",
    backup: str | None = None,
    images: Literal["new", "old"] = "new",
    image_map: Images | None = None,
    approved: bool = False,
    dry_run: bool = False,
) -> None:
    """Bring back the database's data and the workloads' images of before.

    A killed one is continued by the next run, with the plan that it was approved for; a failed restore ends it.

    Args:
        config: path of the platform's YAML, from the project's root.
        what: data, images, or both.
        backup: name of the backup (tidb-backup-...), the last migration's by default.
        images: as recorded before the migration's first uninstall, of the live platform (new) or of the old one (old).
        image_map: images by hand instead: {"Deployment ns/name": {"container": "image"}}.
        approved: do not wait for a person's approval.
        dry_run: walk the same steps, change nothing.
    """
    with open_session(load_platform(Path(config)), "rollback", opening=open_rollback, dry_run=dry_run) as session:
        plan = session.record.read(PLAN) or {
            "backup": choose_backup(session, backup) if what != "images" else None,
            "images": choose_images(session, images, image_map) if what != "data" else {},
        }
        chosen, wish = plan["backup"], plan["images"]
        preflight(session, chosen, wish)
        words = described_plan(session, chosen, wish)
        require_approval(session, words, told_not_to_ask=approved)
        if not dry_run:
            session.record.write(PLAN, plan)
            refuse_unapproved(session.record, words)
        if chosen is not None:
            bring_data_back(session, chosen)
        bring_images_back(session, wish)
        if chosen is not None:
            bring_writers_back(session)
        if not dry_run:
            session.record.finish()


def choose_backup(session: Session, name: str | None) -> Facts:
    """The backup to restore: as given, or the last migration's."""
    wanted = name.removesuffix(".tar.gz") if name else None
    known = [taken for record in _records(session) if (taken := record.read(BACKUP)) is not None]
    if wanted is None:
        if not known:
            raise RefusedError("no backup is in the record of a migration or of a scheduled run: give backup=NAME")
        return known[0]
    return next((taken for taken in known if _name(taken) == wanted), {"name": f"{wanted}.tar.gz"})


def choose_images(session: Session, source: str, given: Images | None) -> Images:
    """The images to set: given by hand, or as recorded by the last migration or else backup; only what differs now."""
    present = session.kube.workloads()
    if given is not None:
        unknown = sorted(given.keys() - {str(workload) for workload in present})
        if unknown:
            raise RefusedError(
                f"image_map: there is no {', '.join(unknown)}: write names as 'Deployment namespace/name'"
            )
        return wanted_images(given, present)
    for record in _records(session):
        if record.read(NEW) is not None:
            return wanted_images(recorded_images(record, source), present)
    raise RefusedError("neither a migration nor a backup of this platform recorded any images: give image_map")


def preflight(session: Session, chosen: Facts | None, wish: Images) -> None:
    """Everything that may refuse, before anything is touched."""
    platform, kube = session.platform, session.kube
    checks = []
    if chosen is not None:
        control(kube, platform, "ls-tar", timeout_s=platform.timeouts.command_s)
        for writer in platform.rollback.writers:
            find_workload(kube, writer)
        recorded = chosen if "sha256" in chosen else None
        database = _database(session)
        root = session.secret(database.root_password) if database.root_password else None
        if root is None:
            raise ConfigError("database.root_password: a rollback sets root's password again: write where it is")
        checks.append(session.submit(check_archive, session.lake, platform, _name(chosen), recorded))
        ours = session.record.read(RESTORE) is not None
        checks.append(session.submit(check_database, platform, database, kube, root, restored=ours))
    nodes = [node.name for node in kube.nodes() if node.ready and not node.unschedulable]
    if wish:
        checks.extend(session.submit(check_images, session.hosts[name], platform, wish) for name in nodes)
    session.all_done(checks)


def described_plan(session: Session, chosen: Facts | None, wish: Images) -> str:
    """What will be done and what will be lost, in words; an approval is for this text."""
    lines = []
    if chosen is not None:
        taken = f"taken at {chosen['taken']} ({described(chosen)})" if "taken" in chosen else "of unknown age"
        writers = ", ".join(map(str, session.platform.rollback.writers)) or "no writer is configured"
        lines.append(f"- restore {_name(chosen)}, {taken}: every row written since then is LOST")
        lines.append(f"- scaled to 0 meanwhile: {writers}")
    lines.extend(
        f"- {workload}: {container} becomes {image}"
        for workload, containers in sorted(wish.items())
        for container, image in containers.items()
    )
    return "\n".join(lines) or "- nothing: all images are as recorded"


def bring_data_back(session: Session, chosen: Facts) -> None:
    """Writers stopped, data restored, users and time zone set. If the restore fails, the writers run as before."""
    run, platform, kube, record = session.run, session.platform, session.kube, session.record
    if record.read(RESTORED) is None:
        session.all_done(session.submit(ensure_quiesced, w, platform, kube, record) for w in platform.rollback.writers)
    try:
        ensure_restored(run, platform, kube, record, _name(chosen))
    except EvenkeelError as error:
        if not error.retryable:
            bring_writers_back(session)
            session.record.finish()
        raise
    database = _database(session)
    if database.root_password is not None:
        root, password = session.secret(database.root_password), session.secret(database.password)
        ensure_accounts(run, platform, database, kube, root, password)


def bring_images_back(session: Session, wish: Images) -> None:
    """All workloads side by side, each awaited."""
    workloads = [workload for workload in session.kube.workloads() if str(workload) in wish]
    session.all_done(session.submit(ensure_images, w, session.platform, session.kube, wish[str(w)]) for w in workloads)


def bring_writers_back(session: Session) -> None:
    """Every writer that was quiesced has as many pods as before."""
    platform, kube, record = session.platform, session.kube, session.record
    session.all_done(session.submit(ensure_writer_back, w, platform, kube, record) for w in platform.rollback.writers)


def _records(session: Session) -> list[Record]:
    """The migrations' records, newest first, then the backups'."""
    keys, platform = session.keys, session.platform.name
    return [
        Record(keys, platform, name, kind=kind)
        for kind in (MIGRATIONS, BACKUPS)
        for name in sorted(names_of(keys, platform, kind), reverse=True)
    ]


def _name(taken: Facts) -> str:
    name: str = taken["name"]
    return name.removesuffix(".tar.gz")


def _database(session: Session) -> Database:
    if session.platform.database is None:
        raise ConfigError("database: a rollback of data needs it: write how to reach it")
    return session.platform.database
