"""What steps need of the world: the narrow interfaces of its wires, and the values that cross them.

Steps take these, never a client library's types, so that fakes can stand in for a world.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from typing import Any, Protocol

Manifest = dict[str, Any]
"""An object as the Kubernetes API has it: of one version of many, so it is read field by field."""

round_trips: ContextVar[list[str] | None] = ContextVar("round_trips", default=None)
"""Where a Host notes its name and what it was asked for, at every round trip, for the step of this context."""


@dataclass(frozen=True)
class CommandResult:
    """What a command on a machine said. `stdout` can hold secrets: it is never logged whole."""

    exit_code: int
    stdout: str = field(repr=False)
    stderr: str = field(repr=False)


class Host(Protocol):
    """A machine that runs shell scripts. One call is one SSH round trip."""

    @property
    def name(self) -> str: ...

    @property
    def address(self) -> IPv4Address: ...

    def run(self, script: str, *, what: str, timeout_s: float = 60, check: bool = True) -> CommandResult:
        """Run `script` with bash, from standard input, so that nothing of it is in any argv.

        Raises CommandFailedError (with `what`) when `check` and the exit code is not 0,
        HostUnreachableError, and DeadlineExceededError when the machine killed it at `timeout_s`.
        """


@dataclass(frozen=True)
class Member:
    """An etcd member. An unnamed one was added and has not started yet."""

    id: int
    name: str
    peer_urls: tuple[str, ...]
    client_urls: tuple[str, ...]
    is_learner: bool = False


@dataclass(frozen=True)
class MemberStatus:
    """What one member says of itself."""

    version: str
    leader: int
    raft_index: int
    errors: tuple[str, ...] = ()
    db_size: int = 0
    """Bytes of its database on its disk."""

    @property
    def healthy(self) -> bool:
        """Whether it knows a leader and reports no error."""
        return bool(self.leader) and not self.errors


class EtcdApi(Protocol):
    """The membership of the platform's etcd."""

    def members(self) -> list[Member]: ...

    def members_seen_by(self, member: Member) -> list[Member]:
        """The member list as `member` itself has it, read from its own store."""

    def status(self, member: Member) -> MemberStatus: ...

    def add_learner(self, peer_url: str) -> Member: ...

    def promote(self, member: Member) -> None:
        """Raises EtcdUnavailableError while the learner has not caught up."""

    def remove(self, member: Member) -> None: ...

    def move_leader(self, to: Member) -> None: ...

    def cluster_id(self) -> int: ...


class KeyValues(Protocol):
    """A place in the platform's etcd for what the world forgets."""

    def get(self, key: str) -> str | None: ...

    def put(self, key: str, value: str) -> None: ...

    def names(self, prefix: str) -> list[str]:
        """The keys that begin with `prefix`, sorted, without their values: these can be megabytes."""

    def items(self, prefix: str) -> dict[str, str]:
        """Keys and values, for prefixes below which little lies: one record, not all of them."""

    def delete(self, prefix: str) -> None:
        """Delete every key that begins with `prefix`."""


@dataclass(frozen=True)
class Node:
    """A node of the cluster; `address` is its InternalIP."""

    name: str
    ready: bool
    unschedulable: bool
    address: str
    version: str
    """Of its kubelet, which is its k3s's."""
    uid: str = ""
    deleting: bool = False
    """Whether it was deleted and waits for k3s to take its finalizer off."""
    args: tuple[str, ...] = ()
    """What its k3s was started with, as k3s itself says it, from v1.21.1 on with config.yaml; secrets masked. Can still hold one."""
    runtime: str = ""
    """What runs its containers, as its kubelet says it: docker://19.3.15, containerd://1.4.3-k3s3."""


@dataclass(frozen=True)
class Pod:
    """A pod; `reason` says why it is not Ready."""

    namespace: str
    name: str
    uid: str
    node: str
    owner: str | None
    """Kind of the controller, None for a bare pod."""
    phase: str
    ready: bool
    controller: str = ""
    """What keeps it running, as "kind namespace/name": of a ReplicaSet's pod its Deployment; empty for a bare pod."""
    mirror: bool = False
    deleting: bool = False
    reason: str = ""
    address: str = ""
    """Its own in the pods' network; a pod on its host's network has none."""
    port: int = 0
    """The first TCP port that it declares; 0 if it declares none."""

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True)
class Workload:
    """A Deployment, StatefulSet or DaemonSet, and how far it is."""

    kind: str
    namespace: str
    name: str
    desired: int
    ready: int
    images: dict[str, str]
    """By container, those that initialise included."""
    updated: bool = True
    """Whether all of its pods are of its present template."""
    recreate: bool = False
    """Whether its strategy forbids two at once."""
    on_delete: bool = False
    """Whether its pods get a new template only when somebody deletes them."""
    initial: frozenset[str] = frozenset()
    """Names of the containers that only initialise."""

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


@dataclass(frozen=True)
class RestoreObject:
    """What TiDB's operator says of a restore."""

    uid: str
    created: str
    phase: str
    message: str


@dataclass(frozen=True)
class ExecResult:
    """What a command in a pod said. It can hold secrets: it is never logged whole."""

    exit_code: int
    stdout: str = field(repr=False)
    stderr: str = field(repr=False)


class KubeApi(Protocol):
    """The platform's API, through whichever of its servers answers."""

    def nodes(self) -> list[Node]: ...

    def set_unschedulable(self, node: str, value: bool) -> None: ...

    def label_node(self, node: str, labels: dict[str, str], taints: list[Manifest], *, version: str) -> None:
        """Set these labels beside its others, and these taints in the place of its own, if it is still of this version."""

    def delete_node(self, node: str) -> None: ...

    def pods(self, node: str | None = None) -> list[Pod]: ...

    def evict(self, pod: Pod) -> None:
        """Ask for the eviction; a pod that has gone is no error.

        Raises EvictionBlockedError with the budget's reason.
        """

    def pod_manifest(self, namespace: str, name: str) -> Manifest | None: ...

    def create_pod(self, manifest: Manifest) -> None: ...

    def workloads(self) -> list[Workload]: ...

    def pods_of(self, workload: Workload) -> list[Pod]:
        """All that its selector selects, also those that are ending: they still run."""

    def running_images(self) -> dict[str, str]:
        """Image name to image id (digest) of everything that runs."""

    def server_addresses(self) -> list[str]:
        """What the `kubernetes` endpoints list."""

    def is_ready(self, address: str) -> bool:
        """Whether the API server at `address` answers /readyz, with a certificate of this cluster."""

    def listed(self, kind: str) -> list[Manifest]:
        """All objects of this kind; none when the API does not know it."""

    def manifests(self) -> dict[str, str]:
        """Everything that could name a machine, as "kind namespace/name" to JSON text."""

    def pods_labelled(self, namespace: str, label: str) -> list[Pod]: ...

    def scale(self, workload: Workload, replicas: int) -> None: ...

    def set_images(self, workload: Workload, images: dict[str, str]) -> None:
        """Give containers, by name, these images; the others keep theirs."""

    def lock_holder(self, namespace: str, name: str) -> str:
        """Who leads, by the lock (client-go's leader election, in a ConfigMap) of this name; "" when nobody does."""

    def release_lock(self, namespace: str, name: str, holder: str) -> None:
        """Give the lock back in the place of `holder`, as client-go does when it ends; another's is left as it is."""

    def restore_object(self, namespace: str, name: str) -> RestoreObject | None:
        """The `restores.pingcap.com` object of this name. Raises HostError when the cluster knows no such kind."""

    def exec(
        self, namespace: str, pod: str, argv: list[str], *, stdin: str = "", timeout_s: float = 60
    ) -> ExecResult: ...


class Probe(Protocol):
    """Who plays clients beside a run."""

    def start(self) -> None:
        """Begin sampling."""

    def check(self) -> None:
        """Raises HostError when nobody samples any more."""

    def stop(self) -> bool:
        """End it; whether it ever ran."""


@dataclass(frozen=True)
class Figure:
    """One value as Prometheus takes it. All figures of a name have labels of the same names."""

    name: str
    means: str
    value: float
    labels: tuple[tuple[str, str], ...] = ()
