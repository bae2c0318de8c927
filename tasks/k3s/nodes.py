"""Nodes of the cluster: found by name and address, and judged before and after the move."""

from __future__ import annotations

from collections.abc import Iterable

from blocks.errors import RefusedError
from blocks.ports import KubeApi, Node
from configs.hosts import Machine, Source
from configs.platform import Platform
from tasks.engine.check import check
from tasks.engine.finding import Checked, Findings
from tasks.engine.record import Record

LEFT = "left"  # below it in the record: the sources whose nodes we have deleted


def find_node(kube: KubeApi, name: str) -> Node | None:
    """The node of this name, None when there is none."""
    return next((node for node in kube.nodes() if node.name == name), None)


def find_source(kube: KubeApi, record: Record, source: Machine) -> Node | None:
    """The source's node, None once we have deleted it. Raises RefusedError for one that is not there otherwise: a node of
    another name would be neither cordoned nor drained, and lose its pods when k3s stops.
    """
    nodes = kube.nodes()
    missing = _missing(nodes, source, record)
    if missing:
        raise RefusedError(f"{source.name}: {': '.join(missing)}", id="node-source-missing")
    return next((node for node in nodes if node.name == source.name), None)


def judge_source(found: Findings, nodes: Iterable[Node], source: Machine, record: Record) -> None:
    """The source is a node, by name and address, or our record says that it has left."""
    missing = _missing(nodes, source, record)
    if missing:
        found.refuse("node-source-missing", *missing, where=source.name, final=True)


def _missing(nodes: Iterable[Node], source: Machine, record: Record) -> tuple[str, str] | None:
    """What is found instead of the source's node, and what to type."""
    name, address = source.name, str(source.address)
    named = next((node for node in nodes if node.name == name), None)
    if named is not None and named.address == address:
        return None
    if named is not None:
        return f"the node of this name is at {named.address or 'no address'}, expected {address}", "correct the config"
    if record.finished or record.read(f"{LEFT}/{name}") is not None or _is_lost(source):
        return None
    there = next((node.name for node in nodes if node.address == address), None)
    if there is not None:
        return f"no node is called {name}; the node at {address} is called {there}", "write that name in the config"
    return (
        f"no node is called {name} and none is at {address}, and the record does not say that it has left",
        "compare with kubectl get nodes -o wide; one that died for good gets 'lost: true'",
    )


def _is_lost(machine: Machine) -> bool:
    return isinstance(machine, Source) and machine.lost


@check("check nodes")
def check_nodes(platform: Platform, kube: KubeApi, record: Record) -> Checked:
    """Every source is a Ready node until it has left; no other node has a machine's name; all nodes are in the config."""
    found = Findings("cluster")
    nodes = kube.nodes()
    _judge_names(found, nodes, platform)
    for source in platform.sources:
        judge_source(found, nodes, source, record)
    sources = {source.name for source in platform.sources if not source.lost}
    for node in nodes:
        # A cordoned source may be leaving already: an earlier run has stopped its k3s.
        if node.name in sources and not node.ready and not node.unschedulable:
            found.refuse(
                "node-source-not-ready",
                "the source is a node that is not Ready",
                f"kubectl describe node {node.name}",
                where=node.name,
            )
    _judge_others(found, nodes, platform)
    _judge_runtimes(found, nodes, platform)
    _judge_kept(found, nodes, platform, set(kube.server_addresses()))
    return found.checked(f"{len(nodes)} nodes")


def _judge_names(found: Findings, nodes: list[Node], platform: Platform) -> None:
    expected = {target.name: str(target.address) for target in platform.targets}
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


def _judge_others(found: Findings, nodes: list[Node], platform: Platform) -> None:
    """A node at a source's address is that source under another name, and reported as such."""
    names = {*(machine.name for machine in platform.machines), *platform.keep_nodes}
    addresses = {str(source.address) for source in platform.sources}
    for node in nodes:
        if node.name not in names and node.address not in addresses:
            found.refuse(
                "node-unknown",
                f"the node, at {node.address}, is neither a source nor a target",
                "write it in keep_nodes if it stays, in sources if it leaves; or drain it and kubectl delete node it",
                where=node.name,
                final=True,
            )


def _judge_runtimes(found: Findings, nodes: list[Node], platform: Platform) -> None:
    """A kept node's is its own affair: no image is looked for there."""
    for node in nodes:
        if node.name not in platform.keep_nodes and node.runtime and not node.runtime.startswith("docker://"):
            found.refuse(
                "node-runtime-not-docker",
                f"its pods run in {node.runtime}, expected docker: images are loaded into docker, and looked for there",
                "start k3s there with --docker once docker has its images, or accept this if its pods need no other images on docker",
                where=node.name,
            )


def _judge_kept(found: Findings, nodes: list[Node], platform: Platform, servers: set[str]) -> None:
    """Only agents can stay: a server's datastore are the members that leave."""
    present = {node.name: node.address for node in nodes}
    for name in platform.keep_nodes:
        if name not in present:
            found.refuse("node-kept-missing", "keep_nodes has it, but no node is called so", "kubectl get nodes", where=name)
        elif present[name] in servers:
            found.refuse(
                "node-kept-server",
                f"keep_nodes has it, but it is a server, at {present[name]}, and its datastore are members that leave",
                "write it in sources, or make it an agent that joins through the VIP",
                where=name,
                final=True,
            )


@check("verify nodes", after_acts=True)
def verify_nodes(platform: Platform, kube: KubeApi) -> Checked:
    """The nodes are exactly the targets and those that are kept, Ready and schedulable, the API's endpoints the target servers."""
    found = Findings("cluster")
    nodes = kube.nodes()
    _judge_nodes(found, nodes, {target.name for target in platform.targets}, set(platform.keep_nodes))
    _judge_endpoints(found, kube, {str(server.address): server.name for server in platform.servers})
    return found.checked(f"{len(nodes)} nodes Ready, {len(platform.servers)} API servers answer")


def _judge_nodes(found: Findings, nodes: list[Node], targets: set[str], kept: set[str]) -> None:
    names, expected = {node.name for node in nodes}, targets | kept
    if names != expected:
        found.refuse(
            "nodes-not-the-targets",
            f"nodes are {', '.join(sorted(names))}, expected {', '.join(sorted(expected))}",
            "kubectl get nodes -o wide",
        )
    for node in nodes:
        if not node.ready:
            found.refuse(
                "node-not-ready", "the node is not Ready", f"kubectl describe node {node.name}", where=node.name
            )
        if node.unschedulable and node.name not in kept:
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
