"""The serial draining of the sources."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial

from prefect import flow

from configs.errors import EvenkeelError
from configs.hosts import Source
from flows.session import Session, current_session
from tasks.k3s.leave import ensure_cordoned, ensure_uncordoned
from tasks.report.interruption import InterruptionError
from tasks.workloads.drain import ensure_drained
from tasks.workloads.surge import ensure_surge_ended, ensure_surged, surged, to_surge

log = logging.getLogger(__name__)


@flow(name="drain-sources", flow_run_name="drain: {sources}")
def drain_sources(sources: list[str]) -> None:
    """Make every pod that can move run on targets: all sources cordoned first, then drained one at a time.

    Workloads with a single replica have a second one meanwhile. When a drain fails, the sources become schedulable again,
    and workloads get the replicas that they had. Clients that waited too long undo nothing: pods would move once more.
    """
    session = current_session()
    run, kube, record = session.run, session.kube, session.record
    leaving = [source for source in session.sources if source.name in sources]
    for source in leaving:
        ensure_cordoned(run, source, kube, record)
    try:
        surge(session, sources)
        for source in leaving:
            ensure_drained(run, source, session.platform, kube, record)
    except InterruptionError:
        log.warning("stopped amid the drains: sources stay cordoned and second replicas stay, for the next run, which goes on")
        raise
    except Exception:
        undo_drains(session, leaving)
        raise
    end_surge(session)


def undo_drains(session: Session, leaving: list[Source]) -> None:
    """Uncordon the sources and end the surge; an undo that fails is logged, and the others are still tried."""
    run, kube, record = session.run, session.kube, session.record
    undos: list[Callable[[], object]] = [partial(ensure_uncordoned, run, source, kube, record) for source in leaving]
    undos.append(partial(end_surge, session))
    for undo in undos:
        try:
            undo()
        except EvenkeelError as error:
            log.warning("the drains failed, and this could not be undone: %s", error)


def surge(session: Session, sources: list[str]) -> None:
    """Give every workload with a single replica a second one, side by side."""
    platform, kube = session.platform, session.kube
    single = to_surge(platform, kube, sources)
    session.all_done([session.submit(ensure_surged, w, platform, kube, session.record) for w in single])


def end_surge(session: Session) -> None:
    """Take the second replicas away again, also those of a killed run."""
    platform, kube, record = session.platform, session.kube, session.record
    session.all_done([session.submit(ensure_surge_ended, w, platform, kube, record) for w in surged(kube, record)])
