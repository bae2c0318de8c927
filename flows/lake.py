"""The file lake's bricks move to targets, and its sources leave its pool."""

from __future__ import annotations

from flows.backup import brick_nodes, helm_host
from flows.session import Session
from tasks.database.backup_ctl import ensure_backup_ctl
from tasks.lake.bricks import ensure_brick_moved, slots
from tasks.lake.lake import read_lake
from tasks.lake.peers import ensure_detached, ensure_peer
from tasks.lake.places import takers


def move_lake(session: Session) -> None:
    """Move every brick on a source to a target: one at a time, each filled before the next. backup-ctl is given the new machines.

    Only with `backup.lake.move`; otherwise bricks on sources were refused in preflight.
    """
    run, platform, hosts = session.run, session.platform, dict(session.hosts)
    if not platform.backup.lake.move:
        return
    lake = read_lake(platform, hosts)
    for target in takers(lake, platform):
        ensure_peer(run, target, platform, hosts)
    for slot in slots(lake):
        ensure_brick_moved(run, slot, platform, hosts)
    if lake.volumes and not session.record.finished:  # afterwards no step of a migration needs Helm
        ensure_backup_ctl(run, session.hosts[helm_host(session)], platform, session.kube, brick_nodes(session))


def leave_lake(session: Session) -> None:
    """Take the sources out of the pool, one at a time; the targets' glusterd does not wait for them any more."""
    if session.platform.backup.lake.move:
        for source in session.platform.sources:
            ensure_detached(session.run, source, session.platform, dict(session.hosts))
