"""The growth of etcd: one target at a time, each as soon as that machine is prepared, beside the nodes that join meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context

from prefect import flow
from prefect.futures import as_completed

from configs.errors import EvenkeelError
from flows.session import Session, current_session
from tasks.etcd.join import ensure_voter
from tasks.etcd.members import learning


@contextmanager
def growing(session: Session, targets: list[str]) -> Iterator[None]:
    """Let etcd grow by the members on `targets` beside what is done in the context, which ends when all of them vote.

    If either fails, the other goes no further than the step at which it is. Where both fail, one error has the texts of both.
    """
    with ThreadPoolExecutor(1, "etcd") as pool:
        growth = pool.submit(copy_context().run, join_etcd, targets)
        try:
            yield
        except BaseException as error:
            session.growth_stopped.set()
            if isinstance(error, EvenkeelError) and isinstance(also := growth.exception(), EvenkeelError):
                error.join([str(error), str(also)])
            raise
        growth.result()


@flow(name="join-etcd", flow_run_name="join etcd: {targets}")
def join_etcd(targets: list[str]) -> None:
    """Make every one of `targets` an etcd voter, never two at once, each as soon as it is prepared.

    A learner that a killed run has left goes before all: etcd takes no other until it votes.
    """
    session = current_session()
    for name in _in_order(session, targets):
        if session.growth_stopped.is_set():
            return
        session.all_done([session.prepared[name]])
        _join(session, name)


def _in_order(session: Session, targets: list[str]) -> Iterator[str]:
    """Learners first, then the others; of each kind first those that are prepared first."""
    begun = learning(session.platform, session.etcd)
    for kind in (begun, set(targets) - begun):
        prepared = {session.prepared[name]: name for name in targets if name in kind}
        yield from (prepared[future] for future in as_completed(list(prepared)))


def _join(session: Session, name: str) -> None:
    target = next(target for target in session.platform.targets if target.name == name)
    ensure_voter(session.run, session.hosts[name], session.platform, target, session.etcd, session.etcd_flags)
