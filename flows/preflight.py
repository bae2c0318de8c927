"""Every check that can be made before anything is changed, side by side."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from prefect import flow
from prefect.futures import PrefectFuture

from configs.errors import ConfigError
from configs.hosts import Target
from configs.load import load_platform
from flows.composition import open_session
from flows.opening import open_migration
from flows.rollback_plan import name_of_backup
from flows.session import Session
from tasks.certificates.checks import check_certificates
from tasks.database.accounts import check_database
from tasks.database.restore import RESTORE, check_archive, check_control, check_restores
from tasks.database.writers import check_writers
from tasks.engine.outcome import Outcome
from tasks.engine.record import Facts
from tasks.etcd.carried import check_etcd_flags
from tasks.etcd.checks import check_etcd
from tasks.images.load import check_tars
from tasks.images.presence import check_pod_images
from tasks.images.rollout import Images, check_images
from tasks.k3s.files import check_named_files
from tasks.k3s.identity import BOOTSTRAP
from tasks.k3s.nodes import check_nodes
from tasks.k3s.rogue import check_datastore, check_identity
from tasks.k3s.server_args import check_flags
from tasks.lake.checks import check_lake
from tasks.machine.fitness import check_machine
from tasks.machine.versions import read_versions
from tasks.network.firewall import check_firewall, opening
from tasks.network.routes import check_routes
from tasks.placement.budgets import check_budgets
from tasks.placement.evicted import needed_images
from tasks.placement.placement import check_placement
from tasks.residue.checks import check_residue
from tasks.vip.checks import check_vip
from tasks.vip.standby import check_standby
from tasks.workloads.bare_pods import unrestored_bare
from tasks.workloads.readiness import check_workloads
from tasks.workloads.singles import check_surge

Checks = list[PrefectFuture[Outcome]]


@flow(name="preflight", flow_run_name="preflight {config}")
def preflight(config: str = "configs/prod.yaml") -> None:
    """Make all checks of a migration and report what they find; fail if one refuses. Nothing is locked, changed or recorded.

    Args:
        config: path of the platform's YAML, from the project's root.
    """
    with open_session(load_platform(Path(config)), "preflight", opening=open_migration, dry_run=True, success="passed") as session:
        session.run.enter("preflight")
        preflight_migration(session)


def preflight_migration(session: Session) -> bool:
    """Return only if no check refuses the move; all findings of all checks are reported together.

    The answer is whether the datastore holds a second cluster's identity, which is taken back first: workloads are judged then.
    """
    two_identities = len(session.keys.names(BOOTSTRAP)) > 1
    opened = opening(session.platform, session.hosts, session.kube, session.access)
    session.all_checked(
        [
            *_checks_of_machines(session, opened),
            *_checks_of_etcd(session),
            *_checks_of_k3s(session),
            *([] if two_identities else [session.submit(check_workloads, session.platform, session.kube, session.record)]),
            *_checks_of_drains(session),
            *_checks_of_vip(session, opened),
        ]
    )
    return two_identities


def _checks_of_machines(session: Session, opening: Collection[str]) -> Checks:
    """After the move nothing joins any more, and sources may be firewalled off."""
    platform, live, running = session.platform, session.live(), read_versions(session.etcd, session.kube)
    machines = [machine for machine in platform.machines if machine.name in session.hosts]
    joining = [] if session.record.finished else machines
    targets = [machine for machine in joining if isinstance(machine, Target)]
    return [
        *(session.submit(check_machine, session.hosts[m.name], platform, m, live, running) for m in machines),
        *(session.submit(check_routes, session.hosts[m.name], platform, m, machines, opening) for m in joining),
        *(session.submit(check_firewall, session.hosts[t.name], platform, t, session.kube, session.access) for t in targets),
        *(session.submit(check_tars, host, platform) for host in session.targets),
        session.submit(check_lake, platform, dict(session.hosts)),
    ]


def _checks_of_etcd(session: Session) -> Checks:
    platform, hosts, etcd, tls = session.platform, dict(session.hosts), session.etcd, session.platform.etcd.tls
    return [
        session.submit(check_etcd, platform, etcd),
        session.submit(check_etcd_flags, platform, hosts, etcd),
        *([session.submit(check_certificates, platform, tls, hosts, etcd)] if tls else []),
    ]


def _checks_of_k3s(session: Session) -> Checks:
    platform, kube, hosts, access = session.platform, session.kube, dict(session.hosts), session.access
    return [
        session.submit(check_identity, platform, session.keys, access, session.targets),
        session.submit(check_datastore, platform, kube, session.keys),
        session.submit(check_nodes, platform, kube, session.record),
        session.submit(check_flags, platform, kube, hosts, access),
        session.submit(check_named_files, platform, kube, hosts, access),
    ]


def _checks_of_drains(session: Session) -> Checks:
    """What would happen when the sources are drained and switched off, computed."""
    platform, kube = session.platform, session.kube
    images = needed_images(platform, kube)
    return [
        session.submit(check_surge, platform, kube),
        session.submit(check_budgets, platform, kube),
        session.submit(check_placement, platform, kube, dict(session.hosts)),
        *(session.submit(check_pod_images, host, platform, images) for host in session.targets),
        session.submit(check_residue, platform, kube),
    ]


def _checks_of_vip(session: Session, opening: Collection[str]) -> Checks:
    platform, hosts, auth_pass = session.platform, dict(session.hosts), session.platform.keepalived.auth_pass
    return [
        session.submit(check_vip, platform, hosts, session.secret(auth_pass) if auth_pass else None, session.kube),
        *(session.submit(check_standby, hosts[target.name], platform, target, hosts, opening) for target in platform.vip_holders),
    ]


def preflight_rollback(session: Session, chosen: Facts | None, images: Images) -> None:
    """Return only if no check refuses to restore the chosen backup, if any, and to set these images."""
    checks = [] if chosen is None else _checks_of_data(session, chosen)
    if images:
        nodes = {node.name for node in session.kube.nodes() if node.ready and not node.unschedulable}
        hosts = [host for name, host in session.hosts.items() if name in nodes]
        checks.extend(session.submit(check_images, host, session.platform, images) for host in hosts)
    session.all_checked(checks)


def _checks_of_data(session: Session, chosen: Facts) -> Checks:
    """Begin the checks of all that a restore needs. Raises ConfigError when the config does not say how to reach the database."""
    platform, kube, database = session.platform, session.kube, session.platform.database
    if database is None:
        raise ConfigError("database: a rollback of data needs it: write how to reach it")
    if database.root_password is None:
        raise ConfigError("database.root_password: a rollback sets root's password again: write where it is")
    recorded = chosen if "sha256" in chosen else None
    root, restored = session.secret(database.root_password), session.record.read(RESTORE) is not None
    checks = [
        session.submit(check_control, platform, kube),
        session.submit(check_restores, platform, kube, name_of_backup(chosen)),
        session.submit(check_writers, platform, kube),
        session.submit(check_archive, session.lake_host, platform, name_of_backup(chosen), recorded),
    ]
    if database.client not in still_missing(session):
        checks.append(session.submit(check_database, platform, database, kube, root, restored=restored))
    return checks


def still_missing(session: Session) -> set[str]:
    """The bare pods that a dry run only plans to make anew: nothing can be asked through them yet."""
    migration = session.migration
    return set(unrestored_bare(migration)) if migration and session.run.dry_run else set()
