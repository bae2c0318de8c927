"""What a flow hands to its steps, and how it waits for them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from prefect import Task
from prefect.futures import PrefectFuture, wait
from pydantic import SecretStr

from blocks.ports import EtcdApi, Host, KeyValues, KubeApi, Probe
from blocks.probe_clients import ProbeConfig
from blocks.probe_process import ProbeProcess
from configs.base import SecretRef
from configs.errors import EvenkeelError
from configs.hosts import Source
from configs.platform import Platform
from tasks.engine.finding import Finding, FindingsError, ranked
from tasks.engine.outcome import Outcome
from tasks.engine.record import Record
from tasks.engine.run import Run
from tasks.engine.step import log_findings
from tasks.k3s.identity import ClusterAccess
from tasks.machine.live import LivePlatform, read_live_platform

_current: ContextVar[Session] = ContextVar("session")

log = logging.getLogger(__name__)


class Session:
    """What a flow hands to its steps. Not a dataclass, so that Prefect does not walk through it."""

    def __init__(
        self,
        platform: Platform,
        run: Run,
        hosts: Mapping[str, Host],
        etcd: EtcdApi,
        keys: KeyValues,
        kube: KubeApi,
        access: ClusterAccess,
        record: Record,
        secrets: Mapping[SecretRef, SecretStr],
        probe: Callable[[ProbeConfig], Probe] = ProbeProcess,
    ) -> None:
        self.platform, self.run, self.hosts = platform, run, dict(hosts)
        self.probe = probe
        self.etcd, self.keys, self.kube, self.access = etcd, keys, kube, access
        self.record = record
        self._secrets = secrets
        self.prepared: dict[str, PrefectFuture[Outcome]] = {}
        """By target: the last step that must be done before its etcd may join."""
        self._submitted: list[PrefectFuture[Outcome]] = []

    @property
    def sources(self) -> list[Source]:
        """The sources that take part; after a finished migration only those that are still switched on."""
        return [source for source in self.platform.sources if source.name in self.hosts]

    @property
    def targets(self) -> list[Host]:
        return [self.hosts[target.name] for target in self.platform.targets]

    def submit(
        self, step: Task[..., Outcome], *args: Any, after: Iterable[PrefectFuture[Outcome]] = (), **named: Any
    ) -> PrefectFuture[Outcome]:
        """Begin a step beside others, after those in `after` have succeeded."""
        future: PrefectFuture[Outcome] = step.submit(self.run, *args, **named, wait_for=list(after))
        self._submitted.append(future)
        return future

    def settle(self) -> None:
        wait(self._submitted)

    def all_done(self, futures: Iterable[PrefectFuture[Outcome]]) -> None:
        """Wait for all of them, then raise the first error, if there was any, with what the others say besides."""
        futures = list(futures)
        wait(futures)
        errors: list[object] = [
            future.result(raise_on_failure=False) for future in futures if not future.state.is_completed()
        ]
        # What only waited for a step that failed has no error of ours: the cause is told, not its followers.
        ours = [error for error in errors if isinstance(error, EvenkeelError)]
        if errors:
            raise _combined(ours, errors[0])

    def all_checked(self, checks: Iterable[PrefectFuture[Outcome]]) -> None:
        """Wait for these checks, log all that they found together, refusals first, then raise what they refuse."""
        checks = list(checks)
        wait(checks)
        log_findings(ranked(finding for one in checks for finding in _findings(one)))
        self.all_done(checks)

    @property
    def lake(self) -> Host:
        """A machine on which the file lake can be read: a live server."""
        return self.hosts[self.access.server]

    def secret(self, ref: SecretRef) -> SecretStr:
        """A secret of the configuration, resolved when the session was opened."""
        return self._secrets[ref]

    def live(self) -> LivePlatform:
        """The live platform as it is now."""
        return read_live_platform(self.etcd, self.kube, self.access.credentials.ca_sha256)


def _findings(check: PrefectFuture[Outcome]) -> tuple[Finding, ...]:
    answer = check.result(raise_on_failure=False)
    return answer.findings if isinstance(answer, Outcome | FindingsError) else ()


def _combined(ours: list[EvenkeelError], other: object) -> BaseException:
    """The first of our errors with the text of all, refusals before the others; without one of ours, what else there was."""
    if ours:
        ranked_errors = sorted(ours, key=lambda error: not isinstance(error, FindingsError))
        ranked_errors[0].join(list(dict.fromkeys(map(str, ranked_errors))))
        return ranked_errors[0]
    return other if isinstance(other, BaseException) else RuntimeError(f"a step ended without a result: {other}")


@contextmanager
def current(session: Session) -> Iterator[Session]:
    """Make `session` the current one. Whatever it submitted ends before the context does: nobody acts without the lock."""
    token = _current.set(session)
    try:
        yield session
    finally:
        session.settle()
        _current.reset(token)


def current_session() -> Session:
    """The session that this flow runs in. Subflows ask for it: their parameters are stored, a session can't be."""
    return _current.get()


