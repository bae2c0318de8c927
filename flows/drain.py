"""The serial draining of the sources."""

from __future__ import annotations

from prefect import flow

from flows.session import current_session
from tasks.drain import ensure_cordoned, ensure_drained, ensure_uncordoned


@flow(name="drain-sources", flow_run_name="drain: {sources}")
def drain_sources(sources: list[str]) -> None:
    """Make every pod that can move run on targets: all sources cordoned first, then drained one at a time.

    When a drain is given up, the sources are schedulable again, as they were found.
    """
    session = current_session()
    run, kube = session.run, session.kube
    leaving = [source for source in session.sources if source.name in sources]
    for source in leaving:
        ensure_cordoned(run, source, kube)
    try:
        for source in leaving:
            ensure_drained(run, source, session.platform, kube, session.record)
    except Exception:
        for source in leaving:
            ensure_uncordoned(run, source, kube)
        raise
