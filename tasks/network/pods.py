"""Whether pods on new nodes and pods on the others reach each other, found out before the first pod has to move."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress

from blocks.errors import DeadlineExceededError
from blocks.ports import Host, KubeApi, Pod
from configs.platform import Platform
from tasks.engine.check import check
from tasks.engine.finding import Checked, Findings
from tasks.engine.waiting import wait_until
from tasks.network.routes import Place, unreachable

PODS_OF_A_NODE = 2  # one may be ending, or behind a network policy
STARTING_S = 60
ANY_PORT = 65535  # for a pod that declares none: its network answers "Connection refused"


@check("check pod network", after_acts=True)
def check_pod_network(host: Host, platform: Platform, kube: KubeApi, new: Collection[str]) -> Checked:
    """A new node reaches pods of every other node, any other node reaches pods of every new one, over the pods' own network.

    A packet from the node itself takes the same tunnel as one of its pods. Nodes without a pod to try are left out, and those
    that are being drained, or were: what is still listed there may have ended.
    """
    found, pods, nodes = Findings(host.name), _once_started(kube, new), taking_pods(kube)
    others = (nodes if host.name in new else nodes & set(new)) - {host.name}
    tried = _pods_by_node(pod for pod in pods if pod.node in others)
    lost = {line.split(" ", 1)[0] for line in unreachable(host, platform, _places(tried))} if tried else set()
    silent = [node for node, pods in tried.items() if all(str(pod) in lost for pod in pods)]
    if silent:
        addresses = ", ".join(pod.address for node in silent for pod in tried[node])
        found.refuse(
            "pod-network-silent",
            f"no pod of {', '.join(silent)} answers at {addresses}: the pods' network does not reach from here to there",
            "let UDP 8472 (flannel's VXLAN) through between all nodes; on machines with several networks see --flannel-iface",
        )
    return found.checked(f"reaches pods of {', '.join(tried) or 'no other node: there is none to try'}")


def taking_pods(kube: KubeApi) -> set[str]:
    """The nodes where pods are to run."""
    return {node.name for node in kube.nodes() if node.ready and not node.unschedulable}


def _once_started(kube: KubeApi, new: Collection[str]) -> list[Pod]:
    """All pods, as soon as none of a new node's is Pending; a node that has just joined starts its DaemonSets' pods first."""
    pods = list[Pod]()

    def all_started() -> bool:
        pods[:] = kube.pods()
        return not any(pod.phase == "Pending" for pod in pods if pod.node in new)

    with suppress(DeadlineExceededError):  # what does not start, for whatever reason, proves nothing about the network
        wait_until("the pods of new nodes have started", all_started, timeout_s=STARTING_S, id="pod-network-silent")
    return pods


def _pods_by_node(pods: Iterable[Pod]) -> dict[str, list[Pod]]:
    """Those that run and have an address of the pods' network, some of each node."""
    found: dict[str, list[Pod]] = {}
    for pod in sorted(pods, key=lambda pod: (pod.node, not pod.ready)):
        chosen = found.setdefault(pod.node, []) if pod.address and pod.phase == "Running" and not pod.deleting else []
        if len(chosen) < PODS_OF_A_NODE:
            chosen.append(pod)
    return found


def _places(tried: dict[str, list[Pod]]) -> Iterator[Place]:
    return ((str(pod), pod.address, pod.port or ANY_PORT) for pods in tried.values() for pod in pods)
