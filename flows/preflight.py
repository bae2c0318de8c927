"""Every check that can be made before anything is changed, side by side."""

from __future__ import annotations

from prefect.futures import PrefectFuture

from configs.errors import ConfigError
from flows.rollback_plan import name_of_backup
from flows.session import Session
from tasks.database.accounts import check_database
from tasks.database.control import control
from tasks.database.restore import RESTORE, check_archive
from tasks.database.writers import find_workload
from tasks.engine.outcome import Outcome
from tasks.engine.record import Facts
from tasks.etcd.carried import check_etcd_flags
from tasks.etcd.checks import check_etcd
from tasks.images.rollout import Images, check_images
from tasks.k3s.identity import BOOTSTRAP
from tasks.k3s.nodes import check_nodes
from tasks.k3s.rogue import check_identity
from tasks.k3s.server_args import check_datastore, check_flags
from tasks.machine.fitness import check_machine
from tasks.machine.routes import check_routes
from tasks.machine.versions import read_versions
from tasks.vip.checks import check_vip
from tasks.workloads.readiness import check_workloads


def preflight(session: Session) -> None:
    """Return only if no check refuses the move; all findings of all checks are reported together."""
    platform, live = session.platform, session.live()
    running = read_versions(session.etcd, session.kube)
    machines = [machine for machine in platform.machines if machine.name in session.hosts]
    joining = [] if session.record.finished else machines  # after the move nothing joins, and sources may be firewalled off
    session.all_checked(
        [
            *(session.submit(check_machine, session.hosts[m.name], platform, m, live, running) for m in machines),
            *(session.submit(check_routes, session.hosts[m.name], platform, m, machines) for m in joining),
            session.submit(check_etcd, platform, session.etcd),
            session.submit(check_etcd_flags, platform, dict(session.hosts), session.etcd),
            session.submit(check_identity, platform, session.keys, session.access, session.targets),
            session.submit(check_datastore, platform, session.kube, session.keys),
            session.submit(check_nodes, platform, session.kube, session.record),
            session.submit(check_flags, platform, session.kube, dict(session.hosts), session.access),
            *([] if has_second_identity(session) else [session.submit(check_workloads, platform, session.kube)]),
            session.submit(
                check_vip, platform, dict(session.hosts), session.secret(platform.keepalived.auth_pass), session.kube
            ),
        ]
    )


def has_second_identity(session: Session) -> bool:
    """Whether the datastore holds more than the live cluster's identity: healed, or refused, before anything else."""
    return len(session.keys.names(BOOTSTRAP)) > 1


def preflight_rollback(session: Session, chosen: Facts | None, images: Images) -> None:
    """Return only if no check refuses to restore the chosen backup, if any, and to set these images."""
    checks = [] if chosen is None else _checks_of_data(session, chosen)
    if images:
        nodes = {node.name for node in session.kube.nodes() if node.ready and not node.unschedulable}
        hosts = [host for name, host in session.hosts.items() if name in nodes]
        checks.extend(session.submit(check_images, host, session.platform, images) for host in hosts)
    session.all_checked(checks)


def _checks_of_data(session: Session, chosen: Facts) -> list[PrefectFuture[Outcome]]:
    """backup-ctl, the restore objects and the writers answer; the checks of archive and database are begun."""
    platform, kube, database = session.platform, session.kube, session.platform.database
    if database is None:
        raise ConfigError("database: a rollback of data needs it: write how to reach it")
    if database.root_password is None:
        raise ConfigError("database.root_password: a rollback sets root's password again: write where it is")
    control(kube, platform, "ls-tar", timeout_s=platform.timeouts.command_s)
    kube.restore_object(platform.rollback.restores_namespace, name_of_backup(chosen))
    for writer in platform.rollback.writers:
        find_workload(kube, writer)
    recorded = chosen if "sha256" in chosen else None
    root, restored = session.secret(database.root_password), session.record.read(RESTORE) is not None
    return [
        session.submit(check_archive, session.lake_host, platform, name_of_backup(chosen), recorded),
        session.submit(check_database, platform, database, kube, root, restored=restored),
    ]
