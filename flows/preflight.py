"""Everything that may refuse, asked before anything is touched, side by side."""

from __future__ import annotations

from flows.session import Session
from tasks.etcd.checks import check_etcd
from tasks.k3s.nodes import check_nodes
from tasks.machine.fitness import check_machine
from tasks.machine.routes import check_routes
from tasks.machine.versions import read_versions
from tasks.vip.checks import check_vip


def preflight(session: Session) -> None:
    """Return only if the platform can bear the move; otherwise the errors say what to type."""
    platform, live = session.platform, session.live()
    running = read_versions(session.etcd, session.kube)
    machines = [machine for machine in platform.machines if machine.name in session.hosts]
    knocking = [] if session.record.finished else machines  # afterwards nobody joins, and sources may be walled off
    session.all_checked(
        [
            *(session.submit(check_machine, session.hosts[m.name], platform, m, live, running) for m in machines),
            *(session.submit(check_routes, session.hosts[m.name], platform, m, machines) for m in knocking),
            session.submit(check_etcd, platform, session.etcd),
            session.submit(check_nodes, platform, session.kube),
            session.submit(
                check_vip, platform, dict(session.hosts), session.secret(platform.keepalived.auth_pass), session.kube
            ),
        ]
    )
