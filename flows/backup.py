"""A backup of the database: scheduled, and before every migration."""

from __future__ import annotations

from pathlib import Path

from prefect import flow

from configs.hosts import Machine
from configs.load import load_platform
from flows.composition import open_session
from flows.opening import open_backup
from flows.session import Session
from tasks.database.archive import BACKUP, ensure_backup, expire_backups
from tasks.database.backup_ctl import ensure_backup_ctl, ensure_tidb_patched
from tasks.database.expiry import expire_records
from tasks.images.record import ensure_new_images_recorded
from tasks.k3s.identity import find_cluster_access
from tasks.lake.lake import read_lake


@flow(name="backup", flow_run_name="backup {config}, dry run: {dry_run}")
def backup(config: str = "configs/prod.yaml", dry_run: bool = False) -> None:
    """Take a backup of the database, verified and recorded. Nothing else runs on the platform meanwhile.

    Args:
        config: path of the platform's YAML, from the project's root.
        dry_run: walk the same steps, change nothing.
    """
    with open_session(load_platform(Path(config)), "backup", opening=open_backup, dry_run=dry_run) as session:
        session.run.enter("backup")
        take_backup(session)
        if not dry_run:
            session.record.finish()


def take_backup(session: Session) -> None:
    """Return only with an intact archive and all workloads' images in the session's record."""
    run, platform, kube = session.run, session.platform, session.kube
    if session.record.read(BACKUP) is None:  # a migration that has its backup does not need Helm any more
        ensure_backup_ctl(run, session.hosts[helm_host(session)], platform, kube, brick_nodes(session))
        ensure_tidb_patched(run, platform, kube)
    ensure_backup(run, platform, session.lake_host, kube, session.record)
    ensure_new_images_recorded(run, platform, kube, session.record)
    expire_backups(run, session.lake_host, platform, kube, keep=way_back(session))
    expire_records(run, platform, kube, session.keys, session.record)


def way_back(session: Session) -> set[str]:
    """The archive of the last migration's own backup: a rollback needs it, however old it is."""
    migration = session.migration
    taken = migration.read(BACKUP) if migration else None
    return {taken["name"]} if taken else set()


def brick_nodes(session: Session) -> tuple[Machine, ...]:
    """The machines that backup-ctl is given as those with bricks: where they move, those that have them; else as configured."""
    if not session.platform.backup.lake.move:
        return ()
    return read_lake(session.platform, session.hosts).nodes()


def helm_host(session: Session) -> str:
    """The configured machine if it runs a server of the live cluster, otherwise a machine that does.

    A node is Ready for a while after its k3s was stopped, so the machine itself is asked.
    """
    wanted, access = session.platform.backup.helm_host, session.access
    ready = {node.name for node in session.kube.nodes() if node.ready}
    configured = [machine for machine in session.platform.machines if machine.name == wanted and wanted in ready]
    last = [machine for machine in session.platform.machines if machine.name == access.server]
    candidates = [machine for machine in (*configured, *last) if machine.name in session.hosts]
    return find_cluster_access(candidates, session.hosts, access.credentials.ca_sha256).server
