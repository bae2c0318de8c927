"""What the steps of a run work with, and how a flow waits for them."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Event
from typing import Any

from prefect import Task
from prefect.futures import PrefectFuture, wait
from prefect.utilities.annotations import opaque
from pydantic import SecretStr

from blocks.ports import EtcdApi, Host, KeyValues, KubeApi, Probe
from blocks.probe_clients import ProbeConfig
from blocks.probe_process import ProbeProcess
from configs.base import SecretRef
from configs.errors import EvenkeelError
from configs.hosts import Source
from configs.platform import Platform
from tasks.engine.finding import Finding, FindingsError, ranked
from tasks.engine.journal import place
from tasks.engine.outcome import Outcome
from tasks.engine.record import Record, find_newest
from tasks.engine.run import Run
from tasks.engine.step import log_findings
from tasks.etcd.carried import carried_flags
from tasks.k3s.identity import ClusterAccess
from tasks.machine.live import LivePlatform, read_live_platform

_current: ContextVar[Session] = ContextVar("session")

log = logging.getLogger(__name__)


class Session:
    """The open connections, the record and the secrets of one run. Not a dataclass, so that Prefect does not walk through it."""

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
        self.etcd_flags = functools.cache(lambda: carried_flags(self.hosts, platform, etcd.members()))
        """The flags that new members get, read when the first one joins: the running ones' stay as they are meanwhile."""
        self._secrets = secrets
        self.prepared: dict[str, PrefectFuture[Outcome]] = {}
        """By target: the last step before its etcd may join."""
        self.loaded: dict[str, PrefectFuture[Outcome]] = {}
        """By target: the last step before its k3s may join, once it is prepared."""
        self.standbys: list[PrefectFuture[Outcome]] = []
        """Of the VIP, one after another; what may take it must be known before anything is drained."""
        self.growth_stopped = Event()
        """Set when something beside etcd's growth has failed: no further member joins then."""
        self._submitted: list[PrefectFuture[Outcome]] = []

    @property
    def sources(self) -> list[Source]:
        """The sources that take part; after a finished migration only those that are still reachable."""
        return [source for source in self.platform.sources if source.name in self.hosts]

    @property
    def targets(self) -> list[Host]:
        return [self.hosts[target.name] for target in self.platform.targets]

    def submit(
        self, step: Task[..., Outcome], *args: Any, after: Iterable[PrefectFuture[Outcome]] = (), **named: Any
    ) -> PrefectFuture[Outcome]:
        """Begin a step or a check beside others, after those in `after` have succeeded.

        No argument holds a future, and Prefect does not look for one: it would walk all of the config, twice a step.
        """
        numbered = place.set(self.run.journal.number())
        try:
            future: PrefectFuture[Outcome] = step.submit(
                self.run, *map(opaque, args), **{name: opaque(value) for name, value in named.items()}, wait_for=list(after)
            )
        finally:
            place.reset(numbered)
        self._submitted.append(future)
        return future

    def settle(self) -> None:
        """Wait until nothing that was submitted still runs."""
        wait(self._submitted)

    def all_done(self, futures: Iterable[PrefectFuture[Outcome]]) -> None:
        """Return when all of them have succeeded; otherwise wait for all, then raise one error with the texts of all."""
        futures = list(futures)
        wait(futures)
        if not all(future.state.is_completed() for future in futures):
            # What only waited for a step that failed has no error: if there is nothing else, the cause is among the others.
            raise _combined(_errors(futures) or _errors(self._submitted))

    def all_checked(self, checks: Iterable[PrefectFuture[Outcome]]) -> None:
        """Wait for all, log what they found together, refusals first; return only when none refuses and each got its answers."""
        checks = list(checks)
        wait(checks)
        log_findings(ranked(finding for check in checks for finding in _findings(check)))
        self.all_done(checks)

    @property
    def migration(self) -> Record | None:
        """The record of the last migration, finished or not, whichever flow this is."""
        newest = find_newest(self.keys, self.platform.name)
        return Record(self.keys, self.platform.name, newest[0]) if newest else None

    @property
    def lake_host(self) -> Host:
        """A live server: the file lake is mounted there, so archives can be read."""
        return self.hosts[self.access.server]

    def secret(self, ref: SecretRef) -> SecretStr:
        """A secret of the configuration, resolved when the session was opened."""
        return self._secrets[ref]

    def live(self) -> LivePlatform:
        """The live platform as it is now."""
        return read_live_platform(self.etcd, self.kube, self.access.credentials.ca_sha256)


def _answer(future: PrefectFuture[Outcome]) -> object:
    """The outcome or the error; None while it runs, and for a step that never began because another one failed."""
    return future.result(raise_on_failure=False) if future.state.is_final() else None


def _findings(check: PrefectFuture[Outcome]) -> tuple[Finding, ...]:
    answer = _answer(check)
    return answer.findings if isinstance(answer, Outcome | FindingsError) else ()


def _errors(futures: list[PrefectFuture[Outcome]]) -> list[BaseException]:
    return [answer for answer in map(_answer, futures) if isinstance(answer, BaseException)]


def _combined(errors: list[BaseException]) -> BaseException:
    """One error for all that are ours: the findings of all checks first, then the other texts. Otherwise the first one."""
    ours = [error for error in errors if isinstance(error, EvenkeelError)]
    refused = [error for error in ours if isinstance(error, FindingsError)]
    others = [error for error in ours if not isinstance(error, FindingsError)]
    if not ours:
        return errors[0] if errors else RuntimeError("a step ended without a result and without an error")
    first = FindingsError(ranked(finding for error in refused for finding in error.findings)) if refused else others.pop(0)
    first.join(list(dict.fromkeys(map(str, (first, *others)))))
    return first


@contextmanager
def current(session: Session) -> Iterator[Session]:
    """Make `session` the current one. The context ends after all that was submitted: nothing acts without the lock."""
    token = _current.set(session)
    try:
        yield session
    finally:
        session.settle()
        _current.reset(token)


def current_session() -> Session:
    """The session of this flow. Subflows get it here and not as a parameter: Prefect stores parameters."""
    return _current.get()


