"""A whole platform before its migration, and how its parts depend on each other: what systemd starts, other fakes see."""

from __future__ import annotations

import re
from itertools import count
from pathlib import Path

from pydantic import SecretStr

from configs.hosts import Role
from configs.platform import Platform
from flows.opening import open_migration
from tasks.engine.journal import Journal, Report
from tasks.engine.record import Record
from tasks.engine.run import Run
from tasks.k3s.identity import ClusterAccess, find_cluster_access, key_of, password_of
from tasks.k3s.nodes import LEFT
from tasks.machine.live import LivePlatform, read_live_platform
from tasks.machine.versions import Versions, read_versions
from tests.fakes import machines
from tests.fakes.backup import FakeBackupCtl
from tests.fakes.clock import FakeTime
from tests.fakes.database import FakeDatabase
from tests.fakes.etcd import FakeEtcd
from tests.fakes.faults import Faulty, Life
from tests.fakes.host import FakeHost
from tests.fakes.keys import FakeKeys
from tests.fakes.kube import FakeKube
from tests.fakes.lock import FakeLock
from tests.fakes.platform import platform as small_platform
from tests.fakes.probe import FakeProbe
from tests.fakes.workload import FakeWorkload


class World:
    """Hosts, etcd, cluster and keys of one platform."""

    def __init__(self, folder: Path, time: FakeTime, platform: Platform | None = None) -> None:
        self.folder, self.time = folder, time
        self.platform = platform or small_platform()
        self.auth_pass, self.token = SecretStr(machines.AUTH_PASS), SecretStr(machines.token(machines.LIVE_CA))
        self.database_password, self.root_password = SecretStr("dbs3cret"), SecretStr("r00ts3cret")
        self.hears_no_adverts: set[str] = set()
        """Hosts that no adverts reach."""
        self.discards_adverts: set[str] = set()
        """Hosts whose keepalived does not take adverts for its peers'."""
        self.advert = machines.advert(str(self.platform.vip))
        """What the holder sends."""
        self.lock, self.keys = FakeLock(), FakeKeys(time)
        self.dead: set[str] = set()
        """Machines that are no more; see `dies`."""
        self.founds_anew: set[str] = set()
        """Hosts whose k3s looks for the cluster's identity elsewhere, as another version may."""
        self.bootstrap_key = key_of(machines.PASSWORD)
        self.keys.put(self.bootstrap_key, "encrypted")
        sources = {source.name: str(source.address) for source in self.platform.sources}
        self.etcd, self.kube = FakeEtcd(sources, scheme=self.platform.etcd.scheme), FakeKube()
        self.keys.registry = lambda: self.kube.node_map
        self.hosts = {m.name: FakeHost(m.name, str(m.address), folder / m.name) for m in self.platform.machines}
        self.database = FakeDatabase(self.kube, root="r00ts3cret", user="app", password="dbs3cret")
        self.backups = FakeBackupCtl(self.kube, self.hosts.values(), self.database)
        self.probe = FakeProbe()
        self._runs = count(1)
        self._furnish()
        self.record = open_migration(self.keys, self.platform.name, identity={}, machines=[], mirror=folder / "record.json", dry_run=False)
        self.fakes: tuple[Faulty, ...] = (*self.hosts.values(), self.etcd, self.kube, self.keys)
        self.life = Life()
        for fake in self.fakes:
            fake.life = self.life
        self.forget()

    def forget(self) -> None:
        """Drop the mutations so far: they were the test's set-up."""
        for fake in self.fakes:
            fake.mutations.clear()

    def run(self, *, dry: bool = False) -> Run:
        name = f"run-{next(self._runs)}"
        report = Report(self.platform.name, name, "test", dry_run=dry)
        journal = Journal(report, self.folder / "reports" / name / "report.json")
        return Run(name, journal, lock=None if dry else self.lock, accepted=self.platform.accepted)

    def read_only_record(self) -> Record:
        return Record(self.keys, self.platform.name, self.record.name)

    @property
    def mutations(self) -> list[str]:
        return [mutation for fake in self.fakes for mutation in fake.mutations]

    @property
    def access(self) -> ClusterAccess:
        return find_cluster_access(self.platform.sources, self.hosts, None)

    @property
    def live(self) -> LivePlatform:
        return read_live_platform(self.etcd, self.kube, machines.sha256(machines.LIVE_CA))

    @property
    def running(self) -> Versions:
        return read_versions(self.etcd, self.kube)

    @property
    def vip_on(self) -> list[str]:
        return [name for name, host in self.hosts.items() if self._vip_line in host.state("addresses")]

    # Where a migration can be interrupted.

    def has_voters(self, *names: str) -> None:
        for name in names:
            machines.run_etcd(self.hosts[name])
            self.etcd.joined(name, str(self.hosts[name].address))

    def has_nodes(self, *names: str) -> None:
        """Targets that have joined the live cluster."""
        for target in self.platform.targets:
            if target.name in names:
                server = target.role is Role.SERVER
                endpoint = f"K3S_DATASTORE_ENDPOINT='{self.platform.datastore_endpoint}'\n"
                more = endpoint if server else f"K3S_URL='{self.platform.join_url}'\n"
                unit = "k3s" if server else "k3s-agent"
                machines.run_k3s(self.hosts[target.name], unit=unit, ca=machines.LIVE_CA, more=more)
                self.kube.joins(target.name, str(target.address), server=server)

    def has_moved(self) -> None:
        """Everything is on the targets; the sources are still there, cordoned and empty."""
        targets = [target.name for target in self.platform.targets]
        self.has_voters(*targets)
        self.has_nodes(*targets)
        for source in self.platform.sources:
            self.kube.set_unschedulable(source.name, True)
            self.hosts[source.name].unit("keepalived", "inactive", "disabled")
        for pod in self.kube.pods():
            self.kube.evict(pod)
        machines.run_keepalived(self.hosts[targets[0]], priority=250)
        self._elect()
        for _ in range(2 * self.kube.polls + 1):
            self.kube.pods()
        self._has_client(targets[-1])
        self.forget()

    def dies(self, name: str) -> None:
        """The machine is off for good; its pods have been made anew elsewhere."""
        del self.hosts[name]
        self.dead.add(name)
        self.etcd.down = self.etcd.down | {name}
        self.kube.stops(name)
        for pod in self.kube.pods(name):
            self.kube.evict(pod)
        for _ in range(10):
            self.kube.workloads()
        self._has_client(next(node.name for node in self.kube.nodes() if node.ready))
        self.forget()

    def has_left(self) -> None:
        """As after a whole migration."""
        self.has_moved()
        for source in self.platform.sources:
            machines.stop_k3s(self.hosts[source.name])
            self.hosts[source.name].unit("etcd", "inactive", "disabled")
            self.kube.stops(source.name)
            self.kube.delete_node(source.name)
            self.etcd.remove(self.etcd.called(source.name))
            self.record.write(f"{LEFT}/{source.name}", {})
        self.forget()

    def _furnish(self) -> None:
        for source in self.platform.sources:
            machines.make_source(self.hosts[source.name])
            self.kube.joins(source.name, str(source.address), server=True)
        for target in self.platform.targets:
            machines.make_target(self.hosts[target.name], server=target.role is Role.SERVER)
        for host in self.hosts.values():
            host.changed = self._settle
            for kept in ("helm-list", "helm-values"):  # Helm keeps its releases in the cluster
                host.disk.link(f".state/{kept}", self.folder / kept)
        self.kube.reach = self._reached
        first, *_, last = self.platform.sources
        self.kube.has(FakeWorkload("Deployment", "shop", "web", 2), on=first.name)
        self.kube.has(FakeWorkload("StatefulSet", "uap", "backup-ctl", 1), on=last.name)
        self.kube.has(FakeWorkload("DaemonSet", "kube-system", "agent", 0))
        self._has_client(last.name)
        self._elect()

    def _has_client(self, on: str) -> None:
        there = [pod for node in self.kube.node_map for pod in self.kube.on(node)]
        if self.platform.database is not None and self.platform.database.client not in there:
            self.kube.bare(self.platform.database.namespace, self.platform.database.client_pod, on=on)

    # How the parts depend on each other.

    def _settle(self, host: FakeHost) -> None:
        if host.runs("etcd"):
            name = re.search(r"--name (\S+)", host.read("/etc/systemd/system/etcd.service"))
            self.etcd.started(f"{self.etcd.scheme}://{host.address}:2380", name[1] if name else "")
        self.etcd.down = {name for name, other in self.hosts.items() if not other.runs("etcd")} | self.dead
        self._register(host)
        self._elect()

    def _register(self, host: FakeHost) -> None:
        unit = machines.server_unit(host)
        server, agent = (machines.environment(host, name) for name in (unit, "k3s-agent"))
        if host.runs(unit) and server.get("K3S_DATASTORE_ENDPOINT"):
            key = key_of(server.get("K3S_TOKEN", "") + ("anew" if host.name in self.founds_anew else ""))
            self._join(host, server=True) if key == self.bootstrap_key else self._found(host, key)
        elif host.runs("k3s-agent") and agent.get("K3S_URL") and password_of(agent.get("K3S_TOKEN", "")) == machines.PASSWORD:
            self._join(host, server=False)
        elif host.name in self.kube.node_map:
            self.kube.stops(host.name)

    def _join(self, host: FakeHost, *, server: bool) -> None:
        if host.name not in self.kube.node_map:
            machines.hand_out(host, ca=machines.LIVE_CA)
            self.kube.joins(host.name, str(host.address), server=server)

    def _found(self, host: FakeHost, key: str) -> None:
        """A server that finds no identity under its token founds a second cluster in the same datastore (k3s-io/k3s#3675)."""
        if key not in self.keys.names(key):
            machines.hand_out(host, ca=machines.ROGUE_CA)
            self.keys.put(key, "encrypted")
            self.kube.joins(host.name, str(host.address), server=True)
            self.kube.api_servers[str(host.address)] = False

    @property
    def _vip_line(self) -> str:
        return f"eth0 {self.platform.vip}/24"

    def _elect(self) -> None:
        """VRRP without preemption: a holder keeps the VIP while its keepalived runs; one that hears no adverts takes it, too."""
        alive = [name for name, host in self.hosts.items() if host.runs("keepalived")]
        holding = [name for name in self.vip_on if name in alive]
        heard = holding or sorted(alive, key=self._priority, reverse=True)[:1]
        for name, host in self.hosts.items():
            holds = name in heard or (name in self.hears_no_adverts | self.discards_adverts and name in alive)
            lines = [line for line in host.state("addresses").splitlines() if line != self._vip_line]
            host.tell("addresses", "\n".join([*lines, *([self._vip_line] if holds else [])]))
            sources = [] if name in self.hears_no_adverts else [other for other in heard if other != name]
            host.tell("adverts", "\n".join(f"{self.hosts[source].address} {self.advert}" for source in sources))

    def _priority(self, name: str) -> int:
        conf = self.hosts[name].disk.read("etc/keepalived/keepalived.conf") or b""
        found = re.search(rb"priority (\d+)", conf)
        return int(found[1]) if found else 0

    def _reached(self, address: str) -> str | None:
        if address != str(self.platform.vip):
            return address
        return str(self.hosts[self.vip_on[0]].address) if self.vip_on else None
