"""Nodes of the cluster: found by name, and judged before and after the move."""

from __future__ import annotations

from blocks.ports import KubeApi, Node
from configs.platform import Platform
from tasks.engine.check import check
from tasks.engine.finding import Checked, Findings


def find_node(kube: KubeApi, name: str) -> Node | None:
    """The node of this name, None when there is none."""
    return next((node for node in kube.nodes() if node.name == name), None)


@check("check nodes")
def check_nodes(platform: Platform, kube: KubeApi) -> Checked:
    """Sources that are nodes are Ready, and no node has a name that the config gives to another address."""
    found = Findings("cluster")
    nodes = kube.nodes()
    expected = {machine.name: str(machine.address) for machine in platform.machines}
    for node in nodes:
        address = expected.get(node.name, node.address)
        if node.address != address:
            found.refuse(
                "node-name-clash",
                f"the node of this name is at {node.address}, expected {address}",
                "give the machine another name in the config, or correct its address",
                where=node.name,
                final=True,
            )
    sources = {source.name for source in platform.sources}
    for node in nodes:
        # A cordoned source may be leaving already: an earlier run has stopped its k3s.
        if node.name in sources and not node.ready and not node.unschedulable:
            found.refuse(
                "node-source-not-ready",
                "the source is a node that is not Ready",
                f"kubectl describe node {node.name}",
                where=node.name,
            )
    return found.checked(f"{len(nodes)} nodes")


@check("verify nodes", after_acts=True)
def verify_nodes(platform: Platform, kube: KubeApi) -> Checked:
    """The nodes are exactly the targets, Ready and schedulable, and the API's endpoints exactly the target servers."""
    found = Findings("cluster")
    nodes = kube.nodes()
    _judge_nodes(found, nodes, {target.name for target in platform.targets})
    _judge_endpoints(found, kube, {str(server.address): server.name for server in platform.servers})
    return found.checked(f"{len(nodes)} nodes Ready, {len(platform.servers)} API servers answer")


def _judge_nodes(found: Findings, nodes: list[Node], targets: set[str]) -> None:
    names = {node.name for node in nodes}
    if names != targets:
        found.refuse(
            "nodes-not-the-targets",
            f"nodes are {', '.join(sorted(names))}, expected {', '.join(sorted(targets))}",
            "kubectl get nodes -o wide",
        )
    for node in nodes:
        if not node.ready:
            found.refuse(
                "node-not-ready", "the node is not Ready", f"kubectl describe node {node.name}", where=node.name
            )
        if node.unschedulable:
            found.refuse("node-cordoned", "the node is cordoned", f"kubectl uncordon {node.name}", where=node.name)


def _judge_endpoints(found: Findings, kube: KubeApi, servers: dict[str, str]) -> None:
    actual, expected = sorted(kube.server_addresses()), sorted(servers)
    if actual != expected:
        found.refuse(
            "api-endpoints-differ",
            f"the API's endpoints are {', '.join(actual)}, expected {', '.join(expected)}",
            "kubectl get endpoints kubernetes",
        )
    for address in expected:
        if not kube.is_ready(address):
            found.refuse(
                "api-server-silent",
                f"its API server at {address} does not answer",
                "systemctl status k3s there",
                where=servers[address],
            )
