"""The platform as its operator describes it: what moves, from where, to where, and how its parts are configured."""

from __future__ import annotations

from enum import StrEnum
from ipaddress import IPv4Address
from pathlib import Path

from pydantic import Field, model_validator

from configs.base import Accepted, Label, NodeName, SecretRef, ShellSafe, StrictModel, WorkloadName
from configs.database import Backup, Database, Rollback
from configs.etcd import Etcd
from configs.hosts import Machine, Role, Source, Target
from configs.http import UrlOrHttpCheck
from configs.k3s import K3s
from configs.observability import Metrics, Notify
from configs.ssh import Access, Ssh
from configs.timeouts import Timeouts


class Keepalived(StrictModel):
    """Who can hold the VIP. The VRRP instance itself is read from its holder; what is written here has to agree with it."""

    interface: Label | ShellSafe = Field(description="network interface of the targets that carries the VIP; see targets[].interface")
    first_priority: int = Field(250, ge=1, le=254, description="the gap of a hand-over is (256 - priority)/256 s")
    holders: int = Field(3, ge=1, description="how many targets, from the first, can hold the VIP")
    virtual_router_id: int | None = Field(None, ge=1, le=255, description="VRID; left out: the holder's")
    auth_pass: SecretRef | None = Field(None, description="left out: the holder's, with or without one")
    prefix_length: int | None = Field(None, ge=1, le=32, description="of the VIP; left out: the holder's")
    advert_interval_s: float | None = Field(None, ge=0.01, description="left out: the holder's")


class Drain(StrictModel):
    """What a drain may do to workloads."""

    surge: tuple[ShellSafe, ...] = Field(
        (), description="namespace/name of Deployments of one replica that get a second one although they share a volume or a port"
    )
    no_surge: tuple[ShellSafe, ...] = Field(
        (), description="namespace/name of Deployments of one replica that must not get a second one while they move"
    )

    @model_validator(mode="after")
    def _is_either(self) -> Drain:
        both = sorted(set(self.surge).intersection(self.no_surge))
        if both:
            raise ValueError(f"{', '.join(both)} is in surge and in no_surge: leave it out of one of them")
        return self


class FirewallPolicy(StrEnum):
    """What is done about what a target's firewalld closes."""

    CHECK = "check"
    OPEN = "open"


class Uninstall(StrictModel):
    """What the uninstall of the old platform on targets leaves there."""

    keep_containers: tuple[ShellSafe, ...] = Field(
        (), description="names of docker containers that go on running, for example a registry; all others are removed"
    )


class Interruption(StrictModel):
    """How long clients may get no answer while a step acts, in seconds; beyond it, a run stops before its next change."""

    http_s: float = Field(5, gt=0, description="requests to `http_checks`; keepalived needs up to 4 s when a holder fails")
    api_s: float = Field(10, gt=0, description="the API through the VIP; a client that meets a server that left tries again")
    etcd_s: float = Field(5, gt=0, description="write and read; an election takes 1 to 2 s by etcd's own defaults, and may fail once")
    sql_s: float = Field(30, gt=0, description="write and read through the VIP; a single pod that moves is away for 10 to 20 s")

    def of(self, series: str) -> float | None:
        """The limit of a series of samples, by the first word of its name; the probe's own has none."""
        limits = {"http": self.http_s, "api": self.api_s, "etcd": self.etcd_s, "sql": self.sql_s}
        return limits.get(series.split()[0])


class Gate(StrEnum):
    """Where a migration can wait for manual approval."""

    BEGIN = "begin"
    CANARY = "canary"
    DRAIN = "drain"
    RETIRE = "retire"


class Platform(StrictModel):
    """One platform and its move. Everything that a flow does is a function of this and of the world."""

    platform: Label = Field(description="names the lock, the record and the reports")
    ssh: Ssh
    sources: tuple[Source, ...] = Field(min_length=1)
    targets: tuple[Target, ...] = Field(min_length=1)
    keep_nodes: tuple[NodeName, ...] = Field((), description="nodes that stay as they are: agents that are neither of both")
    vip: IPv4Address
    etcd: Etcd
    k3s: K3s
    keepalived: Keepalived
    drain: Drain = Drain()
    ignore_workloads: tuple[WorkloadName, ...] = Field(
        (), description="KIND NAMESPACE/NAME of workloads that nothing waits for: broken for long, or of no matter"
    )
    uninstall: Uninstall = Uninstall()
    firewall: FirewallPolicy = Field(
        FirewallPolicy.CHECK, description="what a target's firewalld closes of what it needs is refused (check), or opened first (open)"
    )
    backup: Backup
    database: Database | None = None
    rollback: Rollback = Rollback()
    http_checks: tuple[UrlOrHttpCheck, ...] = Field(
        (), description="URLs that must answer as before, usually on the VIP; {url: URL, ca: FILE} for an authority of one's own"
    )
    interruption: Interruption | None = Field(Interruption(), description="null: no client probe")
    gates: tuple[Gate, ...] = Field(
        (), description="what needs approval in Prefect's UI: begin (the first change), canary (the others), drain, retire (of the sources)"
    )
    canary: bool = Field(True, description="the first target is prepared and votes in etcd before another machine is touched")
    accepted: tuple[Accepted, ...] = Field(
        (), description="findings that the operator accepts, each with its reason; a final refusal can't be accepted"
    )
    notify: Notify | None = Field(None, description="who hears of runs; deployments.configure makes Prefect's automations of it")
    metrics: Metrics | None = Field(None, description="where a run's figures go when it ends")
    timeouts: Timeouts = Timeouts()
    reports: Path = Field(Path("reports"), description="where reports are written, below the working directory")

    @property
    def name(self) -> str:
        """As a target of steps, a platform is called by its name, as machines are."""
        return self.platform

    @property
    def machines(self) -> tuple[Machine, ...]:
        """All machines, sources first, in the order in which they are written."""
        return (*self.sources, *self.targets)

    @property
    def lost(self) -> tuple[Source, ...]:
        """The sources that have died for good: nothing there can be asked or stopped."""
        return tuple(source for source in self.sources if source.lost)

    @property
    def reachable(self) -> tuple[Machine, ...]:
        """All machines but the lost ones."""
        return tuple(machine for machine in self.machines if machine not in self.lost)

    def access(self, machine: Machine) -> Access:
        """How `machine` is reached: its own settings, the rest as in `ssh`."""
        return (machine.ssh or Access()).filled_from(self.ssh)

    @property
    def servers(self) -> tuple[Target, ...]:
        return tuple(target for target in self.targets if target.role is Role.SERVER)

    @property
    def agents(self) -> tuple[Target, ...]:
        return tuple(target for target in self.targets if target.role is Role.AGENT)

    @property
    def new_members(self) -> tuple[Target, ...]:
        """The targets that are to be etcd members."""
        return tuple(target for target in self.targets if target.etcd)

    @property
    def vip_holders(self) -> tuple[Target, ...]:
        return self.targets[: self.keepalived.holders]

    def interface_of(self, target: Target) -> str:
        """The network interface of `target` that carries the VIP."""
        return target.interface or self.keepalived.interface

    @property
    def join_url(self) -> str:
        """What agents get as K3S_URL: the VIP, which outlives every single server."""
        return f"https://{self.vip}:{self.k3s.api_port}"

    @property
    def datastore_endpoint(self) -> str:
        """Client URLs of the *target* members: the sources leave etcd before the servers do."""
        etcd = self.etcd
        return ",".join(f"{etcd.scheme}://{member.address}:{etcd.client_port}" for member in self.new_members)

    @model_validator(mode="after")
    def _names_and_addresses_are_unique(self) -> Platform:
        for what, values in (
            ("name", [machine.name for machine in self.machines]),
            ("address", [str(machine.address) for machine in self.machines]),
        ):
            twice = sorted({value for value in values if values.count(value) > 1})
            if twice:
                raise ValueError(
                    f"sources and targets: {what} {', '.join(twice)} is used more than once: give each machine its own"
                )
        return self

    @model_validator(mode="after")
    def _machines_can_be_reached(self) -> Platform:
        for machine in self.machines:
            try:
                self.access(machine).refuse_incomplete()
            except ValueError as error:
                raise ValueError(f"ssh of {machine.name}: {error}") from None
        return self

    @model_validator(mode="after")
    def _kept_nodes_are_others(self) -> Platform:
        both = sorted({machine.name for machine in self.machines}.intersection(self.keep_nodes))
        if both:
            raise ValueError(f"keep_nodes: {', '.join(both)} is a source or a target, too: leave it out here or there")
        return self

    @model_validator(mode="after")
    def _labels_are_of_sources(self) -> Platform:
        sources = {source.name for source in self.sources}
        for target in self.targets:
            if target.labels_from is not None and target.labels_from not in sources:
                raise ValueError(f"targets: labels_from of {target.name}: {target.labels_from} is no source: write a source's name")
        return self

    @model_validator(mode="after")
    def _vip_is_not_a_machine(self) -> Platform:
        for machine in self.machines:
            if machine.address == self.vip:
                raise ValueError(
                    f"vip: {self.vip} is the address of {machine.name}: write the virtual address that keepalived holds"
                )
        return self

    @model_validator(mode="after")
    def _backup_names_machines(self) -> Platform:
        names = {machine.name for machine in self.machines}
        for where, wanted in (
            ("helm_host", {self.backup.helm_host} - {None}),
            ("glusterfs_nodes", set(self.backup.glusterfs_nodes)),
        ):
            if unknown := sorted(map(str, wanted - names)):
                raise ValueError(
                    f"backup.{where}: {', '.join(unknown)}: no machine has this name: write one of sources or targets"
                )
        return self

    @model_validator(mode="after")
    def _targets_have_a_server_and_a_member(self) -> Platform:
        if not self.servers:
            raise ValueError("targets: none has 'role: server': mark at least one")
        if not self.new_members:
            raise ValueError("targets: none has 'etcd: true': the servers' datastore would have no member")
        return self

    @model_validator(mode="after")
    def _holders_fit_targets_and_priorities(self) -> Platform:
        if self.keepalived.holders > len(self.targets):
            raise ValueError(
                f"keepalived.holders: {self.keepalived.holders} of {len(self.targets)} targets: write {len(self.targets)} at most"
            )
        if self.keepalived.first_priority - 10 * (self.keepalived.holders - 1) < 1:
            raise ValueError("keepalived.first_priority: too low for 10 steps per holder: write 250")
        return self

    @property
    def secrets(self) -> tuple[SecretRef, ...]:
        """Every secret that a run needs, each once."""
        database = [self.database.password, self.database.root_password] if self.database else []
        logins = [ref for machine in self.reachable for ref in self.access(machine).secrets]
        return tuple(dict.fromkeys(ref for ref in (self.keepalived.auth_pass, *database, *logins) if ref is not None))
