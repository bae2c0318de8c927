"""The composition root: the only place where interfaces get their implementations, for one run.

Machines by SSH, etcd, the API, secrets, the lock, the record and the journal are opened here and closed with the run.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from ipaddress import IPv4Address

from prefect.runtime import flow_run

from blocks.errors import HostUnreachableError
from blocks.etcd import EtcdEndpoints
from blocks.etcd_keys import EtcdKeys
from blocks.etcd_tls import ClientTls
from blocks.http import trust_of
from blocks.kubernetes import KubeCluster
from blocks.lock import RunLock
from blocks.ports import EtcdApi, Host, KubeApi
from blocks.process import process_name
from blocks.secrets import resolve_secret
from blocks.ssh import SshHost
from blocks.ssh_fleet import SshFleet
from configs.errors import ConfigError
from configs.hosts import Machine, Source
from configs.platform import Platform
from configs.ssh import Access, Ssh
from flows.evidence import setting_of, witnessed
from flows.metrics import measured
from flows.opening import Opening, is_over
from flows.progress import published
from flows.report import close_killed, reported
from flows.session import Session, current
from tasks.draft.machine import SourceMachine, read_machine, refuse_without_tls
from tasks.engine.journal import Journal, Report
from tasks.engine.record import Facts, find_newest, prefix
from tasks.engine.run import Run
from tasks.etcd.unit import client_url
from tasks.k3s.identity import ClusterAccess, find_cluster_access
from tasks.vip.instance import refuse_long_auth_pass

log = logging.getLogger(__name__)


@contextmanager
def open_session(
    platform: Platform, flow: str, *, opening: Opening, dry_run: bool, success: str = ""
) -> Iterator[Session]:
    """Everything that a run on `platform` needs; nobody else acts on it until the context ends (dry runs act on nothing).

    Secrets are resolved first: what is missing in the configuration is reported before any machine is contacted.
    `success` is the outcome of a run that ends well, where it is neither verified nor planned.
    """
    secrets = {ref: resolve_secret(ref) for ref in platform.secrets}
    for asked in platform.http_checks:
        trust_of(str(asked.ca or ""))  # read again at the end of a move, when it would be too late to say that it can't be
    if (auth_pass := platform.keepalived.auth_pass) is not None:
        refuse_long_auth_pass(auth_pass, secrets[auth_pass])
    run_id = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    report = Report(platform.name, run_id, flow, dry_run, success=success, setting=setting_of(platform))
    journal = Journal(report, platform.reports / platform.name / run_id / "report.json")
    log.info("the report of this run is %s", journal.path.absolute())
    with ExitStack() as stack:
        stack.enter_context(measured(journal, platform))
        stack.enter_context(reported(journal))
        stack.enter_context(published(journal))
        hosts = stack.enter_context(_fleet(platform).hosts(platform.reachable, secrets))
        endpoints = tuple(client_url(platform, machine) for machine in platform.reachable)
        tls = ClientTls.of(platform.etcd.tls)
        etcd = stack.enter_context(EtcdEndpoints(endpoints=endpoints, tls=tls).cluster())
        keys = EtcdKeys(etcd, tls)
        stack.callback(keys.close)
        cluster_id = etcd.cluster_id()
        lock = None
        if not dry_run:
            lock = stack.enter_context(RunLock(keys, prefix(platform.name) + "lock", _who(flow, run_id)).held())
            close_killed(platform, own=run_id)
        migration = find_newest(keys, platform.name)
        access = _access(platform, hosts, migration)
        identity = {"etcd": f"{cluster_id:x}", "kubernetes": access.credentials.ca_sha256}
        mirror = platform.reports / platform.name / "record.json"
        machines = [f"{machine.name} {machine.address}" for machine in platform.machines]
        record = opening(
            keys, platform.name, identity=identity, machines=machines, mirror=mirror, dry_run=dry_run
        )
        report.record = record.name
        run = Run(run_id, journal, lock=lock, intents=None if dry_run else record, accepted=platform.accepted)
        if is_over(migration, machines):
            hosts = _reachable(platform, hosts)
        kube = KubeCluster(access.credentials, _servers(platform, hosts), platform.k3s.api_port)
        session = Session(platform, run, hosts, etcd, keys, kube, access, record, secrets)
        stack.enter_context(current(session))
        stack.enter_context(witnessed(session))
        yield session


@contextmanager
def open_source(source: str, ssh: Ssh, tls: ClientTls | None) -> Iterator[tuple[SourceMachine, KubeApi, EtcdApi]]:
    """One running source before there is a config, and the API and the etcd that answer on it. Nobody locks anything: it is only read."""
    machine = _named(source)
    secrets = {ref: resolve_secret(ref) for ref in ssh.secrets}
    fleet = SshFleet(access={machine.name: Access().filled_from(ssh)}, known_hosts=ssh.known_hosts)
    with fleet.hosts((machine,), secrets) as hosts:
        access = find_cluster_access([machine], hosts, None)
        said = read_machine(hosts[machine.name])
        if said.etcd_by_tls and tls is None:
            refuse_without_tls(said, access)
        scheme = "https" if tls else "http"
        endpoints = EtcdEndpoints(endpoints=(f"{scheme}://{machine.address}:{said.client_port}",), tls=tls)
        with endpoints.cluster() as etcd:
            yield said, KubeCluster(access.credentials, (str(machine.address),), said.api_port), etcd


def _named(source: str) -> Source:
    """Raises ConfigError where a name leads to no address."""
    try:
        return Source(name=source.lower(), address=IPv4Address(socket.gethostbyname(source)))
    except (OSError, ValueError):
        raise ConfigError(
            f"{source}: no IPv4 address is known for this name here: give its address as --source", id="draft-source-unresolved"
        ) from None


def _fleet(platform: Platform) -> SshFleet:
    return SshFleet(
        access={machine.name: platform.access(machine) for machine in platform.reachable},
        known_hosts=platform.ssh.known_hosts,
        connect_timeout_s=platform.timeouts.ssh_connect_s,
    )


def _servers(platform: Platform, hosts: Mapping[str, Host]) -> tuple[str, ...]:
    """Where the live API may answer: sources first, they have it before the targets do, then the targets."""
    machines: tuple[Machine, ...] = (*platform.sources, *platform.servers)
    return tuple(str(machine.address) for machine in machines if machine.name in hosts)


def _access(platform: Platform, hosts: dict[str, SshHost], known: tuple[str, Facts] | None) -> ClusterAccess:
    """Before a migration has begun only a source can tell which cluster is live; a target's k3s is the old platform's.

    Afterwards the record names the cluster, so any of its servers will do: the sources may be switched off.
    """
    if known is None:
        return find_cluster_access([source for source in platform.sources if source.name in hosts], hosts, None)
    machines: tuple[Machine, ...] = (*platform.servers, *platform.sources)
    return find_cluster_access([machine for machine in machines if machine.name in hosts], hosts, known[1]["identity"]["kubernetes"])


def _reachable(platform: Platform, hosts: dict[str, SshHost]) -> dict[str, SshHost]:
    """After a finished migration the sources may be switched off for good; they are left out then."""
    with ThreadPoolExecutor() as pool:
        sources = [hosts[source.name] for source in platform.sources if source.name in hosts]
        gone = {source.name for source, answers in zip(sources, pool.map(_answers, sources), strict=True) if not answers}
    return {name: host for name, host in hosts.items() if name not in gone}


def _answers(source: SshHost) -> bool:
    try:
        source.open()
    except HostUnreachableError as error:
        log.warning("%s: left out, the migration is finished: %s", source.name, error.message)
        return False
    return True


def _who(flow: str, run_id: str) -> str:
    return f"{flow} {flow_run.name or run_id} on {socket.gethostname()}, {process_name()}, since {run_id}"
