"""The serial draining of the sources."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial

from prefect import flow

from configs.errors import EvenkeelError
from configs.hosts import Source
from flows.session import Session, current_session
from tasks.k3s.cordon import ensure_cordoned, ensure_uncordoned
from tasks.workloads.drain import ensure_drained
from tasks.workloads.surge import ensure_surge_ended, ensure_surged, surged, to_surge

log = logging.getLogger(__name__)


@flow(name="drain-sources", flow_run_name="drain: {sources}")
def drain_sources(sources: list[str]) -> None:
    """Make every pod that can move run on targets: all sources cordoned first, then drained one at a time.

    What has a single replica has a second one meanwhile. When a drain is given up, the sources are schedulable again,
    and replicas as many as they were found.
    """
    session = current_session()
    run, kube = session.run, session.kube
    leaving = [source for source in session.sources if source.name in sources]
    for source in leaving:
        ensure_cordoned(run, source, kube)
    try:
        surge(session, sources)
        for source in leaving:
            ensure_drained(run, source, session.platform, kube, session.record)
    except Exception:
        give_up(session, leaving)
        raise
    end_surge(session)


def give_up(session: Session, leaving: list[Source]) -> None:
    """Bring back what can be: what one undoing meets is told, and keeps no other from being tried."""
    run, kube = session.run, session.kube
    undoings: list[Callable[[], object]] = [partial(ensure_uncordoned, run, source, kube) for source in leaving]
    undoings.append(partial(end_surge, session))
    for undo in undoings:
        try:
            undo()
        except EvenkeelError as error:
            log.warning("the drains are given up, and this could not be undone: %s", error)


def surge(session: Session, sources: list[str]) -> None:
    """A second replica for everything that has one, side by side."""
    platform, kube = session.platform, session.kube
    alone = to_surge(platform, kube, sources)
    session.all_done([session.submit(ensure_surged, w, platform, kube, session.record) for w in alone])


def end_surge(session: Session) -> None:
    """As many replicas as before, also of what a killed run had surged."""
    platform, kube, record = session.platform, session.kube, session.record
    session.all_done([session.submit(ensure_surge_ended, w, platform, kube, record) for w in surged(kube, record)])
