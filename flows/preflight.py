"""Everything that may refuse, asked before anything is touched, side by side."""

from __future__ import annotations

import logging

from flows.session import Session
from tasks.preflight import check_cluster, check_etcd, check_machine, check_vip

log = logging.getLogger(__name__)


def preflight(session: Session) -> None:
    """Return only if the platform can bear the move; otherwise the errors say what to type."""
    platform, live = session.platform, session.live()
    for warning in platform.warnings():
        log.warning("%s: %s", platform.name, warning)
    session.all_done(
        [
            *(
                session.submit(check_machine, session.hosts[m.name], platform, m, live)
                for m in platform.machines
                if m.name in session.hosts
            ),
            session.submit(check_etcd, platform, session.etcd),
            session.submit(check_cluster, platform, session.kube),
            session.submit(
                check_vip, platform, dict(session.hosts), session.secret(platform.keepalived.auth_pass), session.kube
            ),
        ]
    )
