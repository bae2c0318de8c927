"""Nodes of the cluster: found, and judged before and after the move."""

from __future__ import annotations

from blocks.errors import DeadlineExceededError, RefusedError, VerificationError
from blocks.ports import KubeApi, Node
from configs.platform import Platform
from tasks.engine.outcome import Outcome, planned, unchanged
from tasks.engine.run import Run
from tasks.engine.step import step
from tasks.engine.waiting import wait_until
from tasks.workloads.readiness import unready


def find_node(kube: KubeApi, name: str) -> Node | None:
    """The node of this name, None when there is none."""
    return next((node for node in kube.nodes() if node.name == name), None)


@step("check nodes")
def check_nodes(run: Run, platform: Platform, kube: KubeApi) -> Outcome:
    """Make sure that the cluster can bear the move: sources are Ready nodes, names do not clash, workloads are complete.

    Changes nothing. Undo: none needed.
    """
    # probe
    nodes = {node.name: node for node in kube.nodes()}
    ours = {machine.name: str(machine.address) for machine in platform.machines}
    clashes = [
        f"{name} at {node.address}" for name, node in nodes.items() if ours.get(name, node.address) != node.address
    ]
    if clashes:
        raise RefusedError(
            f"cluster: nodes {', '.join(clashes)} have names that the config gives to other addresses: rename in the config"
        )
    # A cordoned one may be on its way out already: an earlier run stopped its k3s.
    dead = [
        s.name
        for s in platform.sources
        if s.name in nodes and not nodes[s.name].ready and not nodes[s.name].unschedulable
    ]
    if dead:
        raise RefusedError(f"cluster: nodes {', '.join(dead)} are not Ready: kubectl describe node {dead[0]}")
    try:
        wait_until("all workloads are complete", lambda: not unready(kube), timeout_s=platform.timeouts.pod_ready_s)
    except DeadlineExceededError as error:
        lacking = "; ".join(unready(kube))
        raise RefusedError(
            f"cluster: not complete before the move, so nobody could tell afterwards: {lacking}"
        ) from error

    # act
    # verify
    return unchanged(f"{len(nodes)} nodes, all workloads complete")


@step("verify nodes")
def verify_nodes(run: Run, platform: Platform, kube: KubeApi) -> Outcome:
    """Make sure that the nodes are the targets, Ready and schedulable, and the API's endpoints the target servers.

    Changes nothing. Undo: none needed.
    """
    # probe
    wanted = {target.name for target in platform.targets}
    if run.dry_run:
        return planned(f"the nodes are exactly {', '.join(sorted(wanted))}, and Ready")

    # act
    # verify
    nodes = kube.nodes()
    unfit = [node.name for node in nodes if not node.ready or node.unschedulable]
    if {node.name for node in nodes} != wanted or unfit:
        raise VerificationError(
            f"cluster: nodes are {sorted(n.name for n in nodes)}, not fit: {unfit}: kubectl get nodes"
        )
    servers = sorted(str(server.address) for server in platform.servers)
    mute = [address for address in servers if not kube.is_ready(address)]
    if kube.server_addresses() != servers or mute:
        raise VerificationError(
            f"cluster: API endpoints are {kube.server_addresses()}, of {servers} {mute} do not answer: systemctl status k3s there"
        )
    return unchanged(f"{len(nodes)} nodes Ready, {len(servers)} API servers answer")
