"""The way back: the data of a backup, the images of before. It works in whatever state a migration was left."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

from prefect import flow

from blocks.errors import DeadlineExceededError, OutcomeUnknownError, RefusedError
from blocks.http import get
from configs.errors import EvenkeelError
from configs.load import load_platform
from flows.composition import open_session
from flows.gate import refuse_unapproved, require_approval
from flows.opening import open_rollback
from flows.preflight import preflight_rollback, still_missing
from flows.rollback_plan import described_plan, name_of_backup, plan_of
from flows.session import Session
from tasks.database.accounts import ensure_accounts
from tasks.database.restore import RESTORED, ensure_restored, restore_of_ours
from tasks.database.sql import verify_database
from tasks.database.writers import ensure_quiesced, ensure_writer_restored, scaled_writers, still_scaled
from tasks.engine.record import PLAN, Facts
from tasks.engine.step import undo_of
from tasks.images.rollout import Images, ensure_images
from tasks.workloads.bare_pods import ensure_bare_restored
from tasks.workloads.readiness import verify_workloads
from tasks.workloads.services import verify_services

UNFINISHED = "the rollback is unfinished, its writers are scaled to 0"

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

    The same command continues a killed rollback, with the plan that was approved; a failed restore ends it.

    Args:
        config: path of the platform's YAML, from the project's root.
        what: data, images, or both.
        backup: name of the backup (tidb-backup-...), the last migration's by default.
        images: as recorded before the migration's first uninstall, of the live platform (new) or of the old one (old).
        image_map: images by hand instead: {"Deployment ns/name": {"container": "image"}}.
        approved: do not wait for a person's approval.
        abandon: only end an unfinished rollback: its writers get their replicas back, data and images stay as they are.
        dry_run: walk the same steps, change nothing.
    """
    with open_session(load_platform(Path(config)), "rollback", opening=open_rollback, dry_run=dry_run) as session:
        if abandon:
            give_up(session)
        else:
            asked = {"what": what, "backup": backup, "images": images, "image_map": image_map}
            roll_back(session, asked, approved=approved)


def roll_back(session: Session, asked: Facts, *, approved: bool) -> None:
    """Choose or continue a plan, have it approved, then bring back data, images and writers, in this order."""
    plan = plan_of(session, asked)
    chosen, images = plan["backup"], plan["images"]
    session.run.enter("preflight")
    restore_bare_pods(session)
    preflight_rollback(session, chosen, images)
    words = described_plan(session, plan)
    lost = [f"restore data: what was written since the backup is lost; undo: {undo_of(ensure_restored.fn)}"] if chosen else []
    require_approval(session, words, approved=approved, lasting=lost)
    if not session.run.dry_run:
        session.record.write(PLAN, plan)
        refuse_unapproved(session.record, words)
    session.run.enter("restore")
    if chosen is not None:
        restore_data(session, chosen)
    with explaining_stopped_writers(session):
        if chosen is not None:
            set_accounts(session)
        restore_images(session, images)
    if chosen is not None:
        restore_writers(session)
    session.run.enter("verify")
    verify(session)


def restore_bare_pods(session: Session) -> None:
    """Bring back what a migration that was killed amid its drains had evicted: SQL goes through such a pod, also the preflight's.

    Nothing is lost by it, so it waits for no approval.
    """
    migration = session.migration
    if migration is not None:
        ensure_bare_restored(session.run, session.platform, session.kube, migration)


def give_up(session: Session) -> None:
    """End an unfinished rollback where it is, its writers with their replicas. Raises RefusedError when there is none."""
    if session.record.read(PLAN) is None:
        raise RefusedError(
            f"{session.platform.name}: no rollback is unfinished, there is nothing to abandon: run without abandon=true",
            id="rollback-none-unfinished",
        )
    try:
        restore_writers(session)
    except DeadlineExceededError:
        if not still_scaled(session.kube, session.platform, session.record):  # replicas as before, only not Ready yet
            finish(session)
        raise
    finish(session)


def restore_data(session: Session, chosen: Facts) -> None:
    """Stop the writers and restore the data. If the restore fails, set the users and let the writers run as before.

    They stay stopped while the restore may still run: what they write meanwhile would be lost.
    """
    run, platform, kube, record = session.run, session.platform, session.kube, session.record
    name = name_of_backup(chosen)
    try:
        if record.read(RESTORED) is None:
            session.all_done(session.submit(ensure_quiesced, w, platform, kube, record) for w in platform.rollback.writers)
        ensure_restored(run, platform, kube, record, name)
    except EvenkeelError as error:
        # How far it came is unknown, or it goes on without us: the next run finds out, the writers stay stopped.
        unknown = error.retryable or isinstance(error, OutcomeUnknownError)
        if unknown or restore_of_ours(kube, platform, record, name) is not None:
            error.within(f"{platform.name}: {UNFINISHED}: run the same command again")
        else:
            try:
                set_accounts(session)  # a restore that failed half-way may have removed the users
            finally:
                give_up(session)
        raise


@contextmanager
def explaining_stopped_writers(session: Session) -> Iterator[None]:
    """While writers are scaled to 0, an error says so, and what to type."""
    try:
        yield
    except EvenkeelError as error:
        with suppress(EvenkeelError):  # without etcd nothing is known of writers; the error is raised all the same
            if scaled_writers(session.platform, session.record):
                error.within(f"{session.platform.name}: {UNFINISHED}: run the same command again, or end it with abandon=true")
        raise


def set_accounts(session: Session) -> None:
    """Set what a restore does not bring back: users, root's password, the time zone."""
    database = session.platform.database
    if database is None or database.client in still_missing(session):
        return
    if database.root_password is not None:  # the preflight refuses a configuration without
        root, password = session.secret(database.root_password), session.secret(database.password)
        ensure_accounts(session.run, session.platform, database, session.kube, root, password)


def restore_images(session: Session, images: Images) -> None:
    """Set the images of all these workloads, side by side, and wait for their rollouts."""
    workloads = [workload for workload in session.kube.workloads() if str(workload) in images]
    session.all_done(session.submit(ensure_images, w, session.platform, session.kube, images[str(w)]) for w in workloads)


def restore_writers(session: Session) -> None:
    """Give every writer that was scaled to 0 its replicas back."""
    platform, kube, record = session.platform, session.kube, session.record
    session.all_done(session.submit(ensure_writer_restored, w, platform, kube, record) for w in platform.rollback.writers)


def verify(session: Session) -> None:
    """Verify what clients use. Also when that fails, the rollback's own work is done: it is not repeated."""
    platform, kube = session.platform, session.kube
    password = session.secret(platform.database.password) if platform.database else None
    try:
        session.all_checked(
            [
                session.submit(verify_workloads, platform, kube, session.record),
                session.submit(verify_services, platform, get),
                session.submit(verify_database, platform, kube, password),
            ]
        )
    finally:
        finish(session)


def finish(session: Session) -> None:
    """Close the record, so that the next rollback is a new one."""
    if not session.run.dry_run:
        session.record.finish()
