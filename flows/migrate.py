"""The move of a platform from its sources to its targets: the runbook, read from top to bottom."""

from __future__ import annotations

from pathlib import Path

from prefect import flow
from prefect.futures import PrefectFuture

from blocks.http import get
from configs.load import load_platform
from configs.platform import Gate
from flows.backup import take_backup
from flows.bring_in import bring_in, canary_and_others, check_pods_reached, join_servers
from flows.clients import watched
from flows.composition import open_session
from flows.drain import drain_sources
from flows.gate import pass_gate
from flows.lake import leave_lake, move_lake
from flows.opening import open_migration
from flows.part import WHOLE, Part, Until, part_of, refuse_before_canary
from flows.preflight import preflight_migration
from flows.session import Session
from tasks.database.sql import verify_database
from tasks.engine.outcome import Outcome
from tasks.etcd.checks import verify_etcd
from tasks.etcd.leave import ensure_etcd_retired, ensure_not_leader, ensure_not_member
from tasks.images.record import ensure_old_images_recorded
from tasks.k3s.leave import ensure_k3s_stopped, ensure_node_deleted
from tasks.k3s.nodes import verify_nodes
from tasks.k3s.rogue import ensure_rogue_removed
from tasks.lake.checks import verify_lake
from tasks.machine.hosts import ensure_hosts_file
from tasks.report.accepted import check_accepted
from tasks.residue.checks import check_unreferenced, verify_no_residue
from tasks.vip.checks import verify_vip
from tasks.vip.handover import ensure_keepalived_stopped
from tasks.vip.holder import holders
from tasks.workloads.owners import ensure_ready_recorded
from tasks.workloads.readiness import check_workloads, verify_workloads
from tasks.workloads.services import verify_services

Futures = list[PrefectFuture[Outcome]]


@flow(name="migrate", flow_run_name="migrate {config}, dry run: {dry_run}")
def migrate(
    config: str = "configs/prod.yaml",
    until: Until | None = None,
    only: str | None = None,
    approved: bool = False,
    ignore_interruption: bool = False,
    dry_run: bool = False,
) -> None:
    """Make the platform run on its targets only, without downtime for its users. The same command continues a failed run.

    Args:
        config: path of the platform's YAML, from the project's root.
        until: end well after this part: preflight, backup, canary, join, drain, keepalived or retire.
        only: names of targets, separated by commas: work on no other target, and end before the drains.
        approved: do not wait for a person's approval at the config's `gates`.
        ignore_interruption: go on although clients get no answer for longer than the config's `interruption` allows.
        dry_run: walk the same steps, change nothing, list per host what would be done.
    """
    platform = load_platform(Path(config))
    part = part_of(platform, until, only)
    success = "" if dry_run or part == WHOLE else "stopped"
    with open_session(platform, "migrate", opening=open_migration, dry_run=dry_run, success=success) as session:
        move(session, part, enforced=not ignore_interruption, approved=approved)


def move(session: Session, part: Part = WHOLE, *, enforced: bool = True, approved: bool = False) -> None:
    """The runbook. The client probe runs once there is a backup; `enforced`, it stops the run when clients get no answer."""
    session.run.journal.report.part = part.words
    session.run.enter("preflight")
    two_identities = preflight_migration(session)
    if part.ends_by("preflight"):
        return
    refuse_before_canary(session, part)
    pass_gate(session, Gate.BEGIN, approved=approved, targets=part.targets(session.platform))
    session.run.enter("backup")
    if two_identities:
        remove_rogues(session)
    remove_lost(session)
    take_backup(session)
    record_old_images(session)
    ensure_ready_recorded(session.run, session.platform, session.kube, session.record)
    if part.ends_by("backup"):
        return
    with watched(session, enforced=enforced):  # not before: the backup would have the rows that the probe writes
        join_targets(session, part, approved=approved)
        if not part.ends_by("join"):
            leave_sources(session, part, approved=approved)
        if part == WHOLE:
            session.run.enter("verify")
            verify(session)


def join_targets(session: Session, part: Part, *, approved: bool) -> None:
    """Make the targets machines of the live platform, ready to take its pods and its VIP; the canary first.

    Bricks of the file lake move only once all targets have joined: which one gets a brick is decided among all.
    """
    targets = part.targets(session.platform)
    first, others = canary_and_others(session.platform, targets)
    session.run.enter("canary" if first and session.platform.canary else "join")
    named = begin_hosts_files(session)
    if first:
        bring_in(session, first)
    if not part.ends_by("canary"):
        session.run.enter("join")
        if others:
            pass_gate(session, Gate.CANARY, approved=approved, targets=targets)
            bring_in(session, others)
        join_servers(session, targets)
        check_pods_reached(session)
    session.all_done(named)
    session.all_done(session.standbys)
    if not part.only and not part.ends_by("canary"):
        move_lake(session)


def leave_sources(session: Session, part: Part, *, approved: bool) -> None:
    """Move the file lake's bricks, pods and VIP to the targets; then nothing needs the sources, and they leave the platform."""
    move_lake(session)
    pass_gate(session, Gate.DRAIN, approved=approved)
    session.run.enter("drain")
    drain_sources([source.name for source in session.sources])
    if part.ends_by("drain"):
        return
    session.run.enter("keepalived")
    hand_over_vip(session)
    if part.ends_by("keepalived"):
        return
    pass_gate(session, Gate.RETIRE, approved=approved)
    session.run.enter("retire")
    retire_sources(session)


def remove_rogues(session: Session) -> None:
    """Take back what an earlier release may have left: a second cluster in the live datastore, with an API server of its own.

    Its node has pods that can't run there, so workloads are judged only now.
    """
    platform, kube, keys, access = session.platform, session.kube, session.keys, session.access
    session.all_done(
        session.submit(ensure_rogue_removed, session.hosts[t.name], platform, t, kube, keys, access)
        for t in platform.targets
    )
    if not session.run.dry_run:
        session.all_checked([session.submit(check_workloads, platform, kube, session.record)])


def remove_lost(session: Session) -> None:
    """Remove the sources that have died for good, first of all: until then their stateful pods start nowhere else, and etcd,
    which wants every voter connected, takes no new member.
    """
    platform, kube, record = session.platform, session.kube, session.record
    session.all_done(session.submit(ensure_node_deleted, source, platform, kube, record) for source in platform.lost)
    for source in platform.lost:
        ensure_not_member(session.run, source, platform, session.etcd)


def record_old_images(session: Session) -> None:
    """Before the first uninstall: it removes the old cluster that is asked, also for targets that are not worked on yet."""
    session.all_done(
        session.submit(ensure_old_images_recorded, host, session.platform, session.record) for host in session.targets
    )


def begin_hosts_files(session: Session) -> Futures:
    """Begin to make the sources' /etc/hosts name the targets, too."""
    return [session.submit(ensure_hosts_file, session.hosts[source.name], session.platform) for source in session.sources]


def hand_over_vip(session: Session) -> None:
    """Stop keepalived on the sources: on the standbys first and on the holder last, so that the VIP can go to targets only."""
    holding = {host.name for host in holders(list(session.hosts.values()), session.platform)}
    standbys = [source for source in session.sources if source.name not in holding]
    for group in (standbys, [source for source in session.sources if source.name in holding]):
        session.all_done(
            session.submit(ensure_keepalived_stopped, session.hosts[s.name], session.platform, session.hosts, session.kube)
            for s in group
        )


def retire_sources(session: Session) -> None:
    """Check that nothing refers to the sources, then stop their k3s, and remove their nodes, etcd members and data.

    A deleted node goes when k3s's leader has taken its finalizer off, for which the lock of a stopped one has to expire;
    etcd shrinks meanwhile, by one member at a time.
    """
    run, platform, kube, etcd, record = session.run, session.platform, session.kube, session.etcd, session.record
    hosts, sources = list(session.hosts.values()), session.sources
    unneeded = [session.submit(check_unreferenced, s, platform, session.targets, hosts, kube, record) for s in sources]
    session.all_checked([*unneeded, session.submit(verify_lake, platform, dict(session.hosts))])
    session.all_done(session.submit(ensure_k3s_stopped, session.hosts[s.name], platform, kube) for s in sources)
    leave_lake(session)
    deleted = [session.submit(ensure_node_deleted, source, platform, kube, record) for source in sources]
    for source in sources:
        ensure_not_leader(run, source, platform, etcd)
        ensure_not_member(run, source, platform, etcd)
        ensure_etcd_retired(run, session.hosts[source.name], platform, source, etcd, record.name)
    session.all_done(deleted)


def verify(session: Session) -> None:
    """Verify the whole platform once more, side by side; only then is the migration finished."""
    platform, kube = session.platform, session.kube
    hosts = list(session.hosts.values())
    password = session.secret(platform.database.password) if platform.database else None
    session.all_checked(
        [
            session.submit(verify_etcd, platform, session.etcd),
            session.submit(verify_nodes, platform, kube),
            session.submit(verify_vip, platform, hosts, kube),
            session.submit(verify_workloads, platform, kube, session.record),
            session.submit(verify_services, platform, get),
            session.submit(verify_database, platform, kube, password),
            session.submit(verify_no_residue, platform, session.targets, kube),
            session.submit(verify_lake, platform, dict(session.hosts)),
        ]
    )
    check_accepted(session.run, platform, session.run.journal.report.findings)
    if not session.run.dry_run:
        session.record.finish()
