"""The way back: the data of a backup, the images of before. It works whatever state a migration was left in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

from prefect import flow

from blocks.errors import DeadlineExceededError, OutcomeUnknownError, RefusedError
from blocks.http import get
from configs.database import Database
from configs.errors import ConfigError, EvenkeelError
from configs.load import load_platform
from flows.composition import open_session
from flows.gate import refuse_unapproved, require_approval
from flows.opening import open_rollback
from flows.rollback_plan import described_plan, name_of_backup, plan_of
from flows.session import Session
from tasks.database.accounts import check_database, ensure_accounts
from tasks.database.control import control
from tasks.database.restore import RESTORE, RESTORED, check_archive, ensure_restored, restore_of_ours
from tasks.database.writers import ensure_quiesced, ensure_writer_restored, find_workload, owed, still_scaled
from tasks.engine.record import PLAN, Facts
from tasks.images.rollout import Images, check_images, ensure_images
from tasks.workloads.readiness import verify_workloads
from tasks.workloads.services import verify_services

UNFINISHED = "the rollback is unfinished, its writers have no pods"

What = Literal["both", "data", "images"]


@flow(name="rollback", flow_run_name="rollback {config}, {what}, dry run: {dry_run}")
def rollback(
    config: str = "configs/prod.yaml",
    what: What = "both",
    backup: str | None = None,
    images: Literal["new", "old"] = "new",
    image_map: Images | None = None,
    approved: bool = False,
    abandon: bool = False,
    dry_run: bool = False,
) -> None:
    """Bring back the database's data and the workloads' images of before.

    A killed one is continued by the same command, with the plan that it was approved for; a failed restore ends it.

    Args:
        config: path of the platform's YAML, from the project's root.
        what: data, images, or both.
        backup: name of the backup (tidb-backup-...), the last migration's by default.
        images: as recorded before the migration's first uninstall, of the live platform (new) or of the old one (old).
        image_map: images by hand instead: {"Deployment ns/name": {"container": "image"}}.
        approved: do not wait for a person's approval.
        abandon: only end an unfinished rollback: its writers get their pods back, data and images stay as they are.
        dry_run: walk the same steps, change nothing.
    """
    with open_session(load_platform(Path(config)), "rollback", opening=open_rollback, dry_run=dry_run) as session:
        if abandon:
            give_up(session)
        else:
            asked = {"what": what, "backup": backup, "images": images, "image_map": image_map}
            roll_back(session, asked, approved=approved)


def roll_back(session: Session, asked: Facts, *, approved: bool) -> None:
    """Choose or continue, ask, then data, images and writers, in this order."""
    plan = plan_of(session, asked)
    chosen, wish = plan["backup"], plan["images"]
    preflight(session, chosen, wish)
    words = described_plan(session, plan)
    require_approval(session, words, told_not_to_ask=approved)
    if not session.run.dry_run:
        session.record.write(PLAN, plan)
        refuse_unapproved(session.record, words)
    if chosen is not None:
        restore_data(session, chosen)
    with explaining_stopped_writers(session):
        if chosen is not None:
            set_accounts(session)
        restore_images(session, wish)
    if chosen is not None:
        restore_writers(session)
    verify(session)


def give_up(session: Session) -> None:
    """End an unfinished rollback where it is; nobody's pods are forgotten. Raises RefusedError when there is none."""
    if session.record.read(PLAN) is None:
        raise RefusedError(f"{session.platform.name}: no rollback is unfinished: there is nothing to abandon")
    try:
        restore_writers(session)
    except DeadlineExceededError:
        if not still_scaled(session.kube, session.platform, session.record):  # as before, only not Ready yet
            finish(session)
        raise
    finish(session)


def preflight(session: Session, chosen: Facts | None, wish: Images) -> None:
    """Everything that may refuse, before anything is touched."""
    platform, kube = session.platform, session.kube
    checks = []
    if chosen is not None:
        control(kube, platform, "ls-tar", timeout_s=platform.timeouts.command_s)
        kube.restore_object(platform.rollback.restores_namespace, name_of_backup(chosen))
        for writer in platform.rollback.writers:
            find_workload(kube, writer)
        recorded = chosen if "sha256" in chosen else None
        database = _database(session)
        root = session.secret(database.root_password) if database.root_password else None
        if root is None:
            raise ConfigError("database.root_password: a rollback sets root's password again: write where it is")
        checks.append(session.submit(check_archive, session.lake, platform, name_of_backup(chosen), recorded))
        ours = session.record.read(RESTORE) is not None
        checks.append(session.submit(check_database, platform, database, kube, root, restored=ours))
    if wish:
        nodes = {node.name for node in kube.nodes() if node.ready and not node.unschedulable}
        checks.extend(session.submit(check_images, session.hosts[n], platform, wish) for n in nodes & session.hosts.keys())
    session.all_done(checks)


def restore_data(session: Session, chosen: Facts) -> None:
    """Writers stopped, data restored, users and time zone set. If the restore fails, the writers run as before.

    They do not while it may still run: what they write beside it is lost.
    """
    run, platform, kube, record = session.run, session.platform, session.kube, session.record
    name = name_of_backup(chosen)
    try:
        if record.read(RESTORED) is None:
            session.all_done(session.submit(ensure_quiesced, w, platform, kube, record) for w in platform.rollback.writers)
        ensure_restored(run, platform, kube, record, name)
    except EvenkeelError as error:
        # How far it came is not known, or it goes on without us: whoever runs it again finds out, the writers wait.
        unknown = error.retryable or isinstance(error, OutcomeUnknownError)
        if unknown or restore_of_ours(kube, platform, record, name) is not None:
            error.within(f"{platform.name}: {UNFINISHED}: run it again")
        else:
            try:
                set_accounts(session)  # a restore that failed half-way may have taken the users away
            finally:
                give_up(session)
        raise


@contextmanager
def explaining_stopped_writers(session: Session) -> Iterator[None]:
    """Whatever goes wrong here, writers may be without pods: the error says so, and what to type."""
    try:
        yield
    except EvenkeelError as error:
        with suppress(EvenkeelError):  # an etcd that is away says nothing of writers; what went wrong is told all the same
            if owed(session.platform, session.record):
                error.within(f"{session.platform.name}: {UNFINISHED}: run it again, or end it with abandon=true")
        raise


def set_accounts(session: Session) -> None:
    """What no restore brings back: users, root's password, the time zone."""
    database = _database(session)
    if database.root_password is not None:
        root, password = session.secret(database.root_password), session.secret(database.password)
        ensure_accounts(session.run, session.platform, database, session.kube, root, password)


def restore_images(session: Session, wish: Images) -> None:
    """All workloads side by side, each awaited."""
    workloads = [workload for workload in session.kube.workloads() if str(workload) in wish]
    session.all_done(session.submit(ensure_images, w, session.platform, session.kube, wish[str(w)]) for w in workloads)


def restore_writers(session: Session) -> None:
    """Every writer that was quiesced has as many pods as before."""
    platform, kube, record = session.platform, session.kube, session.record
    session.all_done(session.submit(ensure_writer_restored, w, platform, kube, record) for w in platform.rollback.writers)


def verify(session: Session) -> None:
    """Ask what clients would ask. Whatever the answers are, what the rollback had to do is done: it is not repeated."""
    platform, kube = session.platform, session.kube
    password = session.secret(platform.database.password) if platform.database else None
    try:
        session.all_done(
            [
                session.submit(verify_workloads, platform, kube, session.record),
                session.submit(verify_services, platform, kube, get, password),
            ]
        )
    finally:
        finish(session)


def finish(session: Session) -> None:
    """Close the record: the next rollback is a new one."""
    if not session.run.dry_run:
        session.record.finish()


def _database(session: Session) -> Database:
    if session.platform.database is None:
        raise ConfigError("database: a rollback of data needs it: write how to reach it")
    return session.platform.database
