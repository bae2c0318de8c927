"""Draining a source by eviction, so that disruption budgets are kept; a drain that is given up is undone."""

from __future__ import annotations

import logging

from blocks.errors import DeadlineExceededError, RefusedError, TransientError
from blocks.ports import KubeApi, Pod
from configs.errors import EvenkeelError
from configs.hosts import Machine
from configs.platform import Platform
from tasks.engine.finding import note
from tasks.engine.outcome import Outcome, changed, planned, unchanged
from tasks.engine.record import Record
from tasks.engine.run import Run
from tasks.engine.step import step
from tasks.engine.waiting import wait_until
from tasks.k3s.nodes import find_source
from tasks.workloads.bare_pods import keep_bare, restore_bare, unrestored_bare
from tasks.workloads.owners import lacking

log = logging.getLogger(__name__)


def why_stays(pod: Pod) -> str | None:
    """Why a pod is not evicted, None when it is."""
    if pod.mirror:
        return "a static pod"
    if pod.owner == "DaemonSet":
        return "of a DaemonSet"
    if pod.phase in ("Succeeded", "Failed"):
        return "finished"
    return None


@step("drain")
def ensure_drained(run: Run, source: Machine, platform: Platform, kube: KubeApi, record: Record) -> Outcome:
    """Make no pod run on the node but static and DaemonSet ones, and all workloads complete elsewhere.

    Evicts within the budgets; a bare pod, which no controller would bring back, is kept in the record and made anew.
    Undo: given up after `drain_s`, the node is uncordoned again and the error has each pod's reason.
    """
    # probe
    node = find_source(kube, record, source)
    pods = [pod for pod in kube.pods(source.name) if why_stays(pod) is None] if node else []
    if not pods and not unrestored_bare(record):
        return unchanged("no longer a node" if node is None else "drained")
    if run.dry_run:
        bare = (f"Pod {pod}" for pod in pods if pod.owner is None)
        notes = (note("bare-pod", pod, "has no controller: it is made anew elsewhere") for pod in bare)
        return planned(f"evicted: {', '.join(map(str, pods))}", findings=tuple(notes))
    if node is not None and not node.unschedulable:
        raise RefusedError(
            f"{source.name}: draining: the node is not cordoned: kubectl cordon {source.name}, or run the same command again",
            id="drain-node-schedulable",
        )

    # act
    with run.acting(source.name, f"evicting {len(pods)} pods"):
        try:
            keep_bare(kube, record, pods)
            _evict_all(kube, source.name, platform.timeouts.drain_s)
        except EvenkeelError as error:
            if not error.retryable:
                _uncordon(kube, source.name)
            raise
        restore_bare(kube, record)

    # verify
    wait_until(
        f"all workloads are complete without {source.name}",
        lambda: not lacking(platform, kube, record),
        timeout_s=platform.timeouts.pod_ready_s,
        still=lambda: "; ".join(map(str, lacking(platform, kube, record))) + ": list in ignore_workloads what need not come back",
        id="drain-workloads-incomplete",
    )
    return changed(f"evicted: {', '.join(map(str, pods)) or 'nothing, bare pods made anew'}")


def _evict_all(kube: KubeApi, node: str, timeout_s: float) -> None:
    """Ask for every eviction until all are granted and the pods have gone; a budget that is used up is asked again."""
    reasons: dict[str, str] = {}

    def all_gone() -> bool:
        left = [pod for pod in kube.pods(node) if why_stays(pod) is None]
        reasons.clear()
        for pod in left:
            reasons[str(pod)] = (
                "is terminating: in its grace period, or its kubelet is late" if pod.deleting else _ask(kube, pod)
            )
        return not left

    def still() -> str:
        return "; ".join(f"{pod}: {reason}" for pod, reason in sorted(reasons.items()))

    try:
        wait_until(f"{node} is drained", all_gone, timeout_s=timeout_s, still=still)
    except DeadlineExceededError as error:
        raise DeadlineExceededError(
            f"{node}: not drained within {timeout_s:g} s: {still() or error.message}: give the workload one more replica or "
            "relax its disruption budget, then run the same command again",
            id="node-not-drained",
        ) from error


def _uncordon(kube: KubeApi, node: str) -> None:
    """The node is schedulable as before; an error here does not hide why the drain is given up."""
    try:
        kube.set_unschedulable(node, False)
    except EvenkeelError as error:
        log.warning("%s: the drain is given up, and the node could not be uncordoned: %s", node, error)
    else:
        log.warning("%s: the drain is given up, the node is uncordoned again", node)


def _ask(kube: KubeApi, pod: Pod) -> str:
    try:
        kube.evict(pod)
    except TransientError as error:  # a budget; or a pod of two budgets, to which the API says 500, every time
        return error.message
    return "evicted, not yet gone"
