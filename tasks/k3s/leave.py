"""k3s leaves a source: stopped for good, its node deleted."""

from __future__ import annotations

from blocks.errors import RefusedError, VerificationError
from blocks.ports import Host, KubeApi
from configs.hosts import Machine
from configs.platform import Platform
from tasks.engine.outcome import Outcome, changed, planned, unchanged
from tasks.engine.run import Run
from tasks.engine.step import step
from tasks.engine.waiting import stays, wait_until
from tasks.k3s.nodes import find_node
from tasks.shell.script import facts, parse_facts
from tasks.shell.units import is_off, unit_state

# Pods' containers go on when k3s stops, as they must at an upgrade; on a source that leaves they are orphans.
PODS = "docker ps -q --filter label=io.kubernetes.pod.name"


@step("stop k3s on source")
def ensure_k3s_stopped(run: Run, host: Host, platform: Platform, kube: KubeApi) -> Outcome:
    """Make k3s not run on the machine, now or after a reboot, and its pods' containers neither.

    Undo: systemctl enable --now k3s, before the node is deleted.
    """
    # probe
    question = facts({"state": unit_state("k3s"), "pods": PODS})
    said = parse_facts(host.run(question, what="reading k3s's unit", timeout_s=platform.timeouts.command_s).stdout)
    if is_off(said["state"]) and not said["pods"]:
        return unchanged("k3s is off and disabled")
    if run.dry_run:
        return planned("k3s is stopped and disabled")
    if not any(kube.is_ready(str(server.address)) for server in platform.servers):
        raise RefusedError(
            f"{host.name}: stopping k3s: no target's API server answers: systemctl status k3s on the targets",
            id="api-targets-silent",
        )

    # act
    with run.acting(host.name, "stopping k3s"):
        stop = f'systemctl disable --now k3s 2>/dev/null\nleft=$({PODS}); test -z "$left" || docker stop $left >/dev/null\n'
        answer = host.run(stop + question, what="stopping k3s", timeout_s=platform.timeouts.uninstall_s)

    # verify
    left = parse_facts(answer.stdout)
    if not is_off(left["state"]) or left["pods"]:
        raise VerificationError(
            f"{host.name}: k3s was stopped, but {_not_stopped(left)}: systemctl status k3s; docker ps",
            id="k3s-not-stopped",
        )
    return changed("k3s is off and disabled")


def _not_stopped(left: dict[str, str]) -> str:
    if is_off(left["state"]):
        return f"{len(left['pods'].split())} containers of its pods still run"
    return f"the unit is {' '.join(left['state'].split())}"


@step("delete node")
def ensure_node_deleted(run: Run, source: Machine, platform: Platform, kube: KubeApi) -> Outcome:
    """Make the cluster have no such node, for good; its API server is no longer one of the cluster's endpoints.

    A node whose k3s still runs registers again (k3s-io/k3s#945), so k3s is stopped first.
    Undo: start k3s there again, it registers.
    """
    # probe
    address = str(source.address)
    if find_node(kube, source.name) is None and address not in kube.server_addresses():
        return unchanged("not a node")
    if run.dry_run:
        return planned("the node is deleted")

    # act
    with run.acting(source.name, "deleting the node"):
        kube.delete_node(source.name)

    # verify
    wait_until(
        f"{source.name} has left the API's endpoints",
        lambda: address not in kube.server_addresses(),
        timeout_s=platform.timeouts.api_settle_s,
        id="api-endpoint-stays",
    )
    if not stays(f"{source.name} is gone", lambda: find_node(kube, source.name) is None, for_s=3):
        raise VerificationError(
            f"{source.name}: the node was deleted and registered again: a k3s still runs there: systemctl disable --now k3s",
            id="node-came-back",
        )
    return changed("the node is deleted")
