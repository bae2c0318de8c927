"""The growth of etcd: one target at a time, each as soon as that machine is prepared."""

from __future__ import annotations

from prefect import flow
from prefect.futures import as_completed

from flows.session import current_session
from tasks.engine.outcome import Outcome
from tasks.etcd.join import ensure_voter
from tasks.etcd.members import learning


@flow(name="join-etcd", flow_run_name="join etcd: {targets}")
def join_etcd(targets: list[str]) -> None:
    """Make every one of `targets` an etcd voter, in the order in which they become ready, never two at once.

    A learner that a killed run has left goes first: etcd takes no other until it votes.
    """
    session = current_session()
    begun = learning(session.platform, session.etcd)
    for name in (name for name in targets if name in begun):
        session.all_done([session.prepared[name]])
        _join(name)
    prepared = {session.prepared[name]: name for name in targets if name not in begun}
    for future in as_completed(list(prepared)):
        session.all_done([future])
        _join(prepared[future])


def _join(name: str) -> Outcome:
    session = current_session()
    target = next(target for target in session.platform.targets if target.name == name)
    return ensure_voter(session.run, session.hosts[name], session.platform, target, session.etcd, session.etcd_flags)
