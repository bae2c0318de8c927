"""The wires of one run, opened: machines, etcd, the API, the lock, the record and the journal."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from prefect import Task
from prefect.futures import PrefectFuture, wait
from prefect.runtime import flow_run
from pydantic import SecretStr

from blocks.etcd import EtcdEndpoints
from blocks.etcd_keys import EtcdKeys
from blocks.kubernetes import KubeCluster
from blocks.lock import RunLock
from blocks.ports import EtcdApi, Host, KeyValues, KubeApi, Probe
from blocks.probe_clients import Wish
from blocks.probe_process import ProbeProcess
from blocks.process import process_name
from blocks.secrets import resolve_secret
from blocks.ssh import SshFleet, SshHost
from configs.base import SecretRef
from configs.errors import EvenkeelError, HostUnreachableError
from configs.hosts import Machine, Source
from configs.platform import Platform
from flows.opening import Opening, is_over
from flows.report import close_killed, reported
from tasks.engine.journal import Journal, Report
from tasks.engine.outcome import Outcome
from tasks.engine.record import Facts, Record, find_newest, prefix
from tasks.engine.run import Run
from tasks.etcd.unit import client_url
from tasks.k3s.identity import Entrance, find_entrance
from tasks.machine.live import Live, read_live
from tasks.vip.conf import refuse_long_auth_pass

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
        entrance: Entrance,
        record: Record,
        secrets: Mapping[SecretRef, SecretStr],
        probe: Callable[[Wish], Probe] = ProbeProcess,
    ) -> None:
        self.platform, self.run, self.hosts = platform, run, dict(hosts)
        self.probe = probe
        self.etcd, self.keys, self.kube, self.entrance = etcd, keys, kube, entrance
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

    @property
    def lake(self) -> Host:
        """A machine on which the file lake can be read: a live server."""
        return self.hosts[self.entrance.server]

    def secret(self, ref: SecretRef) -> SecretStr:
        """A secret of the configuration, resolved when the session was opened."""
        return self._secrets[ref]

    def live(self) -> Live:
        """The live platform as it is now."""
        return read_live(self.etcd, self.kube, self.entrance.credentials.ca_sha256)


@contextmanager
def open_session(platform: Platform, flow: str, *, opening: Opening, dry_run: bool) -> Iterator[Session]:
    """Everything that a run on `platform` needs; nobody else acts on it until the context ends (dry runs act on nothing).

    Secrets are resolved first: what is missing in the configuration is told before any machine is contacted.
    """
    secrets = {ref: resolve_secret(ref) for ref in platform.secrets}
    refuse_long_auth_pass(platform.keepalived.auth_pass, secrets[platform.keepalived.auth_pass])
    run_id = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    report = Report(platform.name, run_id, flow, dry_run, warnings=platform.warnings())
    journal = Journal(report, platform.reports / platform.name / run_id / "report.json")
    log.info("the report of this run is %s", journal.path.absolute())
    with ExitStack() as stack:
        stack.enter_context(reported(journal))
        hosts = stack.enter_context(_fleet(platform).hosts(platform.machines))
        endpoints = tuple(client_url(platform, machine) for machine in platform.machines)
        etcd = stack.enter_context(EtcdEndpoints(endpoints=endpoints).cluster())
        keys = EtcdKeys(etcd)
        stack.callback(keys.close)
        cluster_id = etcd.cluster_id()
        lock = None
        if not dry_run:
            lock = stack.enter_context(RunLock(keys, prefix(platform.name) + "lock", _who(flow, run_id)).held())
            close_killed(platform, own=run_id)
        migration = find_newest(keys, platform.name)
        entrance = _entrance(platform, hosts, migration)
        identity = {"etcd": f"{cluster_id:x}", "kubernetes": entrance.credentials.ca_sha256}
        mirror = platform.reports / platform.name / "record.json"
        machines = [f"{machine.name} {machine.address}" for machine in platform.machines]
        record = opening(
            keys, platform.name, identity=identity, machines=machines, mirror=mirror, dry_run=dry_run
        )
        report.record = record.name
        run = Run(run_id, journal, lock=lock, intents=None if dry_run else record)
        if is_over(migration, machines):
            hosts = _reachable(platform, hosts)
        kube = KubeCluster(entrance.credentials, _servers(platform, hosts), platform.k3s.api_port)
        session = Session(platform, run, hosts, etcd, keys, kube, entrance, record, secrets)
        stack.enter_context(current(session))
        yield session


def _combined(ours: list[EvenkeelError], other: object) -> BaseException:
    """The first of our errors with the text of all; without one of ours, what else there was."""
    if ours:
        ours[0].args = ("\n".join(dict.fromkeys(map(str, ours))),)
        return ours[0]
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


def _fleet(platform: Platform) -> SshFleet:
    ssh = platform.ssh
    return SshFleet(
        user=ssh.user,
        port=ssh.port,
        key=ssh.key,
        known_hosts=ssh.known_hosts,
        connect_timeout_s=platform.timeouts.ssh_connect_s,
    )


def _servers(platform: Platform, hosts: Mapping[str, Host]) -> tuple[str, ...]:
    """Where the live API may answer: sources first, they have it before the targets do, then the targets."""
    machines: tuple[Machine, ...] = (*platform.sources, *platform.servers)
    return tuple(str(machine.address) for machine in machines if machine.name in hosts)


def _entrance(platform: Platform, hosts: dict[str, SshHost], known: tuple[str, Facts] | None) -> Entrance:
    """Before a migration has begun only a source can tell which cluster is live; a target's k3s is the old platform's.

    Afterwards the record names the cluster, so any of its servers will do: the sources may be switched off.
    """
    if known is None:
        return find_entrance(platform.sources, hosts, None)
    return find_entrance((*platform.servers, *platform.sources), hosts, known[1]["identity"]["kubernetes"])


def _reachable(platform: Platform, hosts: dict[str, SshHost]) -> dict[str, SshHost]:
    """After a finished migration the sources may be switched off for good; they are left out then."""
    with ThreadPoolExecutor() as pool:
        sources = [hosts[source.name] for source in platform.sources]
        gone = {source.name for source, answers in zip(sources, pool.map(_answers, sources), strict=True) if not answers}
    return {name: host for name, host in hosts.items() if name not in gone}


def _answers(source: SshHost) -> bool:
    try:
        source.open()
    except HostUnreachableError as error:
        log.warning("%s: left out, the migration is finished: %s", source.name, error)
        return False
    return True


def _who(flow: str, run_id: str) -> str:
    return f"{flow} {flow_run.name or run_id} on {socket.gethostname()}, {process_name()}, since {run_id}"
