"""A cluster as its API shows it: controllers bring pods back elsewhere, budgets forbid, everything takes a few polls."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from typing import Any

from blocks.errors import EvictionBlockedError, KubeUnavailableError, NotFoundError
from blocks.ports import ExecResult, Manifest, Node, Pod, RestoreObject, Workload
from tests.fakes.faults import Faulty
from tests.fakes.workload import FakeWorkload, pod_manifest


class FakeKube(Faulty):
    """See ports.KubeApi. Every look at pods or workloads is one poll: the world goes on by one turn."""

    def __init__(self, *, polls: int = 2) -> None:
        super().__init__()
        self.polls = polls
        """How many polls a pod needs to end, and another to become ready."""
        self.node_map: dict[str, Node] = {}
        self.api_servers: dict[str, bool] = {}
        """By address, whether it answers; all of them are endpoints."""
        self.reach: Callable[[str], str | None] = lambda address: address
        """Which server's address answers at an address; a world puts the VIP here."""
        self.workload_list: list[FakeWorkload] = []
        self.budgets: dict[str, int] = {}
        """By "namespace/pod prefix": how many evictions are declined."""
        self.objects: dict[str, str] = {}
        """By "kind namespace/name": the JSON of what is neither a pod nor a node nor a workload."""
        self.node_labels: dict[str, dict[str, str]] = {}
        """By node, beside those that k3s gives to all."""
        self.node_taints: dict[str, list[Manifest]] = {}
        self.answers: dict[str, ExecResult] = {}
        """By a word of the command line; they come before what programs say."""
        self.programs: dict[str, Callable[[list[str], str], ExecResult]] = {}
        """By a word of the command line: what answers to its arguments and its input. They note their changes."""
        self.restores: dict[str, RestoreObject] = {}
        self.restoring: Callable[[str], tuple[str, str]] = lambda _name: ("Complete", "")
        """How a restore ends: phase and message."""
        self.execs: list[tuple[str, str, list[str], str]] = []
        self.returning: set[str] = set()
        """Nodes that register again when they are deleted."""
        self.locks: dict[str, str] = {}
        """By "namespace/name", who holds it."""
        self.held: dict[str, int] = {}
        """By node, how many looks at nodes its finalizer stays after the deletion."""
        self.never_ready: set[str] = set()
        """By "namespace/pod prefix": pods that start and stay so."""
        self._pods: dict[str, Pod] = {}
        self._turns: dict[str, int] = {}
        self._born = 0
        self._registered = count(1)

    # The port.

    def nodes(self) -> list[Node]:
        with self.calling("nodes"):
            for name in [node.name for node in self.node_map.values() if node.deleting]:
                self.held[name] -= 1
                if self.held[name] < 0:
                    del self.node_map[name]
            return list(self.node_map.values())

    def set_unschedulable(self, node: str, value: bool) -> None:
        with self.calling("set_unschedulable"):
            self.changes(f"{'cordon' if value else 'uncordon'} {node}")
            self.node_map[node] = replace(self.node_map[node], unschedulable=value)

    def label_node(self, node: str, labels: dict[str, str], taints: list[Manifest], *, version: str) -> None:
        with self.calling("label_node"):
            self.changes(f"label {node}")
            self.node_labels.setdefault(node, {}).update(labels)
            self.node_taints[node] = taints

    def delete_node(self, node: str) -> None:
        with self.calling("delete_node"):
            self.changes(f"delete node {node}")
            gone = self.node_map.pop(node, None)
            if gone is not None and node in self.returning:
                self.node_map[node] = replace(gone, uid=f"uid-{next(self._registered)}")
            elif gone is not None and self.held.get(node):
                self.node_map[node] = replace(gone, deleting=True)
            self._pods = {name: pod for name, pod in self._pods.items() if pod.node != node}

    def pods(self, node: str | None = None) -> list[Pod]:
        with self.calling("pods"):
            self._turn()
            return [pod for pod in self._pods.values() if node in (None, pod.node)]

    def evict(self, pod: Pod) -> None:
        with self.calling("evict"):
            budget = next((prefix for prefix in self.budgets if str(pod).startswith(prefix)), None)
            if budget is not None and self.budgets[budget] > 0:
                self.budgets[budget] -= 1
                raise EvictionBlockedError("Cannot evict pod as it would violate the pod's disruption budget.")
            self.changes(f"evict {pod}")
            if str(pod) in self._pods:
                self._pods[str(pod)] = replace(pod, deleting=True)
                self._turns[str(pod)] = self.polls

    def pod_manifest(self, namespace: str, name: str) -> dict[str, Any] | None:
        with self.calling("pod_manifest"):
            pod = self._pods.get(f"{namespace}/{name}")
            if pod is None:
                return None
            return pod_manifest(pod, self._owner(pod))

    def create_pod(self, manifest: dict[str, Any]) -> None:
        with self.calling("create_pod"):
            meta = manifest["metadata"]
            if f"{meta['namespace']}/{meta['name']}" in self._pods:
                raise KubeUnavailableError("HTTP 409: object is being deleted")
            self.changes(f"create pod {meta['namespace']}/{meta['name']}")
            self._place(meta["namespace"], meta["name"], None)

    def workloads(self) -> list[Workload]:
        with self.calling("workloads"):
            self._turn()
            return [self._seen(workload) for workload in self.workload_list if workload.native]

    def pods_of(self, workload: Workload) -> list[Pod]:
        with self.calling("pods_of"):
            self._turn()
            start = f"{workload.namespace}/{workload.name}-"
            return [pod for name, pod in self._pods.items() if name.startswith(start)]

    def running_images(self) -> dict[str, str]:
        return {image: f"sha256:{image}" for workload in self.workload_list for image in workload.images.values()}

    def server_addresses(self) -> list[str]:
        with self.calling("server_addresses"):
            return sorted(self.api_servers)

    def is_ready(self, address: str) -> bool:
        with self.calling("is_ready"):
            return self.api_servers.get(self.reach(address) or "", False)

    def listed(self, kind: str) -> list[Manifest]:
        with self.calling(f"listed {kind}"):
            if kind == "Pod":
                return [pod_manifest(pod, self._owner(pod)) for pod in self._pods.values()]
            if kind == "Node":
                return [self._node(node) for node in self.node_map.values()]
            own = [workload.manifest() for workload in self.workload_list if workload.native and workload.kind == kind]
            return own + [json.loads(text) for what, text in self.objects.items() if what.startswith(f"{kind} ")]

    def manifests(self) -> dict[str, str]:
        with self.calling("manifests"):
            return dict(self.objects)

    def pods_labelled(self, namespace: str, label: str) -> list[Pod]:
        wanted = label.partition("=")[2]
        self._turn()
        return [pod for pod in self._pods.values() if pod.namespace == namespace and pod.name.startswith(wanted)]

    def exec(self, namespace: str, pod: str, argv: list[str], *, stdin: str = "", timeout_s: float = 60) -> ExecResult:
        with self.calling("exec"):
            line = " ".join(argv)
            if f"{namespace}/{pod}" not in self._pods:
                raise NotFoundError(f'10.0.0.11: Kubernetes API: pods "{pod}" not found')
            self.execs.append((namespace, pod, argv, stdin))
            answer = next((answer for word, answer in self.answers.items() if word in line), None)
            program = next((run for word, run in self.programs.items() if word in line), None)
            if answer is None and program is not None:
                answer = program(argv, stdin)
            return answer or ExecResult(0, "", "")

    def scale(self, workload: Workload, replicas: int) -> None:
        with self.calling(f"scale {workload}"):
            self.changes(f"scale {workload} to {replicas}")
            self._called(workload).replicas = replicas

    def set_images(self, workload: Workload, images: dict[str, str]) -> None:
        with self.calling("set_images"):
            self.changes(f"set images of {workload}")
            found = self._called(workload)
            found.images = {**found.images, **images}
            for pod in self._of(found):
                self._pods[str(pod)] = replace(pod, deleting=True)
                self._turns[str(pod)] = self.polls

    def lock_holder(self, namespace: str, name: str) -> str:
        with self.calling("lock_holder"):
            return self.locks.get(f"{namespace}/{name}", "")

    def release_lock(self, namespace: str, name: str, holder: str) -> None:
        with self.calling("release_lock"):
            if self.locks.get(f"{namespace}/{name}") == holder:
                self.changes(f"release {namespace}/{name}")
                self.locks[f"{namespace}/{name}"] = ""

    def restore_object(self, namespace: str, name: str) -> RestoreObject | None:
        with self.calling("restore_object"):
            found = self.restores.get(name)
            if found is not None and found.phase == "Running":
                phase, message = self.restoring(name)
                self.restores[name] = replace(found, phase=phase, message=message)
            return found

    # What a test sets up.

    def joins(self, name: str, address: str, *, server: bool, args: tuple[str, ...] | None = None) -> None:
        """Its k3s's arguments are by default those that the small platform's config gives to a server."""
        uid = f"uid-{next(self._registered)}"
        usual = ("server", "--https-listen-port", "10443", "--docker", "--token", "********") if server else ("agent", "--docker")
        facts = Node(name, ready=True, unschedulable=False, address=address, version="v1.20.2+k3s1", uid=uid, runtime="docker://19.3.15")
        self.node_map[name] = replace(facts, args=usual if args is None else args)
        if server:
            self.api_servers[address] = True

    def stops(self, name: str) -> None:
        """Its k3s has stopped: the node is not Ready, its API server leaves the endpoints."""
        node = self.node_map[name]
        self.node_map[name] = replace(node, ready=False)
        self.api_servers.pop(node.address, None)

    def has(self, workload: FakeWorkload, *, on: str | None = None) -> None:
        """A workload that is complete."""
        self.workload_list.append(workload)
        for _ in range(0 if workload.kind == "DaemonSet" else workload.replicas):
            self._replica(workload, node=on, turns=0)

    def put(self, kind: str, namespace: str, name: str, **parts: Any) -> None:
        """An object of another kind; "-" is no namespace."""
        meta = {"name": name, **({} if namespace == "-" else {"namespace": namespace}), **parts.pop("metadata", {})}
        self.objects[f"{kind} {namespace}/{name}"] = json.dumps({"metadata": meta, **parts})

    def bare(self, namespace: str, name: str, *, on: str, **facts: Any) -> None:
        self._place(namespace, name, None, node=on, turns=0)
        self._pods[f"{namespace}/{name}"] = replace(self._pods[f"{namespace}/{name}"], **facts)

    def on(self, node: str) -> list[str]:
        return [str(pod) for pod in self._pods.values() if pod.node == node]

    # How it goes on.

    def _turn(self) -> None:
        for name, pod in list(self._pods.items()):
            self._turns[name] -= 1
            if self._turns[name] > 0:
                continue
            if pod.deleting:
                del self._pods[name]
            elif pod.node and not pod.ready and pod.phase == "Running" and not name.startswith(tuple(self.never_ready)):
                self._pods[name] = replace(pod, ready=True, reason="")
        for workload in self.workload_list:
            if workload.kind != "DaemonSet":
                pods = self._of(workload)
                for _ in range(workload.replicas - len(pods)):
                    self._replica(workload)
                for pod in pods[workload.replicas :]:
                    self._pods[str(pod)] = replace(pod, deleting=True, ready=False)
                    self._turns[str(pod)] = self.polls

    def _called(self, workload: Workload) -> FakeWorkload:
        return next(w for w in self.workload_list if (w.kind, w.namespace, w.name) == workload_name(workload))

    def _owner(self, pod: Pod) -> FakeWorkload | None:
        return next((workload for workload in self.workload_list if pod.owner and pod.controller == workload.controller), None)

    def _node(self, node: Node) -> Manifest:
        role = {"node-role.kubernetes.io/master": "true"} if node.args[:1] == ("server",) else {}
        labels = {"kubernetes.io/hostname": node.name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64", **role}
        meta = {"name": node.name, "labels": {**labels, **self.node_labels.get(node.name, {})}, "resourceVersion": "1"}
        status = {"allocatable": {"cpu": "4", "memory": "8Gi", "pods": "110"}}
        return {"metadata": meta, "spec": {"taints": self.node_taints.get(node.name, [])}, "status": status}

    def _of(self, workload: FakeWorkload) -> list[Pod]:
        return [pod for pod in self._pods.values() if pod.controller == workload.controller and not pod.deleting]

    def _seen(self, workload: FakeWorkload) -> Workload:
        if workload.kind == "DaemonSet":
            desired, ready = len(self.node_map), sum(node.ready for node in self.node_map.values())
        else:
            desired, ready = workload.replicas, sum(pod.ready for pod in self._of(workload))
        facts = (workload.kind, workload.namespace, workload.name, desired, ready, workload.images)
        return Workload(*facts, recreate=workload.recreate)

    def _replica(self, workload: FakeWorkload, *, node: str | None = None, turns: int | None = None) -> None:
        self._born += 1
        owner = "ReplicaSet" if workload.kind == "Deployment" else workload.kind
        name = f"{workload.name}-{self._born}"
        self._place(workload.namespace, name, owner, node=node, turns=turns, controller=workload.controller)

    def _place(
        self,
        namespace: str,
        name: str,
        owner: str | None,
        *,
        node: str | None = None,
        turns: int | None = None,
        controller: str = "",
    ) -> None:
        fit = [other.name for other in self.node_map.values() if other.ready and not other.unschedulable]
        node = node or next(iter(reversed(fit)), "")
        ready, reason = turns == 0, "" if node else "0 nodes are available"
        pod = Pod(
            namespace, name, f"uid-{name}", node, owner, "Running", ready,
            reason=reason, controller=controller, address=f"10.42.0.{len(self._pods) + 2}",
        )
        self._pods[str(pod)] = pod
        self._turns[str(pod)] = self.polls if turns is None else turns


def workload_name(workload: Workload) -> tuple[str, str, str]:
    return workload.kind, workload.namespace, workload.name
