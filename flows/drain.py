"""The serial draining of the sources."""

from __future__ import annotations

from prefect import flow

from flows.session import Session, current_session
from tasks.drain import ensure_cordoned, ensure_drained, ensure_uncordoned
from tasks.surge import ensure_surge_ended, ensure_surged, surged, to_surge


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
        for source in leaving:
            ensure_uncordoned(run, source, kube)
        end_surge(session)
        raise
    end_surge(session)


def surge(session: Session, sources: list[str]) -> None:
    """A second replica for everything that has one, side by side."""
    platform, kube = session.platform, session.kube
    alone = to_surge(platform, kube, sources)
    session.all_done([session.submit(ensure_surged, w, platform, kube, session.record) for w in alone])


def end_surge(session: Session) -> None:
    """As many replicas as before, also of what a killed run had surged."""
    platform, kube, record = session.platform, session.kube, session.record
    session.all_done([session.submit(ensure_surge_ended, w, platform, kube, record) for w in surged(kube, record)])
