"""Nodes that take no new pods."""

from __future__ import annotations

from blocks.ports import KubeApi
from configs.hosts import Machine
from tasks.engine.outcome import Outcome, changed, planned, unchanged
from tasks.engine.run import Run
from tasks.engine.step import step
from tasks.engine.waiting import wait_until
from tasks.k3s.nodes import find_node


@step("cordon")
def ensure_cordoned(run: Run, source: Machine, kube: KubeApi) -> Outcome:
    """Make the scheduler put no new pods on the node. All sources come first, so that every pod moves only once.

    Undo: kubectl uncordon; done when a drain fails.
    """
    # probe
    node = find_node(kube, source.name)
    if node is None:
        return unchanged("no longer a node")
    if node.unschedulable:
        return unchanged("cordoned")
    if run.dry_run:
        return planned("cordoned")

    # act
    with run.acting(source.name, "cordoning"):
        kube.set_unschedulable(source.name, True)

    # verify
    wait_until(
        f"{source.name} is cordoned",
        lambda: (n := find_node(kube, source.name)) and n.unschedulable,
        timeout_s=30,
        id="node-not-cordoned",
    )
    return changed("cordoned")


@step("uncordon")
def ensure_uncordoned(run: Run, source: Machine, kube: KubeApi) -> Outcome:
    """Make the scheduler use the node again.

    Undo: kubectl cordon.
    """
    # probe
    node = find_node(kube, source.name)
    if node is None or not node.unschedulable:
        return unchanged("schedulable" if node else "no longer a node")
    if run.dry_run:
        return planned("uncordoned")

    # act
    with run.acting(source.name, "uncordoning", undoing=True):
        kube.set_unschedulable(source.name, False)

    # verify
    wait_until(
        f"{source.name} is schedulable",
        lambda: (n := find_node(kube, source.name)) and not n.unschedulable,
        timeout_s=30,
        id="node-stays-cordoned",
    )
    return changed("uncordoned")
