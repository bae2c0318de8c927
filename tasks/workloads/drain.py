"""Draining a source by eviction, so that disruption budgets are kept; given up, it is undone."""

from __future__ import annotations

import logging
from typing import Any

from blocks.errors import DeadlineExceededError, RefusedError, TransientError
from blocks.ports import KubeApi, Pod
from configs.errors import EvenkeelError
from configs.hosts import Machine
from configs.platform import Platform
from tasks.engine.outcome import Outcome, changed, planned, unchanged
from tasks.engine.record import PRIVATE, Record
from tasks.engine.run import Run
from tasks.engine.step import step
from tasks.engine.waiting import wait_until
from tasks.k3s.nodes import find_node
from tasks.workloads.readiness import unready

log = logging.getLogger(__name__)
BARE = f"{PRIVATE}/bare-pods"  # a manifest may hold a password of the pod's


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
    node = find_node(kube, source.name)
    pods = [pod for pod in kube.pods(source.name) if why_stays(pod) is None] if node else []
    missing = _unrestored(record)
    if not pods and not missing:
        return unchanged("no longer a node" if node is None else "drained")
    if run.dry_run:
        bare = [str(pod) for pod in pods if pod.owner is None]
        return planned(
            f"evicted: {', '.join(map(str, pods))}",
            notes=(f"no controller, made anew elsewhere: {', '.join(bare)}",) if bare else (),
        )
    if node is not None and not node.unschedulable:
        raise RefusedError(f"{source.name}: draining: it is not cordoned: kubectl cordon {source.name}, or run again")

    # act
    with run.acting(source.name, f"evicting {len(pods)} pods"):
        try:
            _keep_bare(kube, record, pods)
            _evict_all(kube, source.name, platform.timeouts.drain_s)
        except EvenkeelError as error:
            if not error.retryable:
                _uncordon(kube, source.name)
            raise
        _restore_bare(kube, record)

    # verify
    wait_until(
        f"all workloads are complete without {source.name}",
        lambda: not unready(kube),
        timeout_s=platform.timeouts.pod_ready_s,
        still=lambda: "; ".join(unready(kube)),
    )
    return changed(f"evicted: {', '.join(map(str, pods)) or 'nothing, bare pods made anew'}")


def _evict_all(kube: KubeApi, node: str, timeout_s: float) -> None:
    """Ask for every eviction until all are granted and the pods have gone; a budget that is used up is asked again."""
    reasons: dict[str, str] = {}

    def all_gone() -> bool:
        left = [pod for pod in kube.pods(node) if why_stays(pod) is None]
        reasons.clear()
        for pod in left:
            reasons[str(pod)] = "is terminating: in its grace period, or its kubelet is late" if pod.deleting else _ask(kube, pod)
        return not left

    def still() -> str:
        return "; ".join(f"{pod}: {reason}" for pod, reason in sorted(reasons.items()))

    try:
        wait_until(f"{node} is drained", all_gone, timeout_s=timeout_s, still=still)
    except DeadlineExceededError as error:
        raise DeadlineExceededError(
            f"{node}: not drained within {timeout_s:g} s: {still() or error}: give the workload a replica more or its budget "
            "room, then run again"
        ) from error


def _uncordon(kube: KubeApi, node: str) -> None:
    """The node as before; what this meets does not hide why the drain is given up."""
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
        return str(error)
    return "evicted, not yet gone"


def _keep_bare(kube: KubeApi, record: Record, pods: list[Pod]) -> None:
    """The intent comes first: once evicted, a bare pod can't be asked any more."""
    for pod in pods:
        if pod.owner is None and not pod.deleting:
            manifest = kube.pod_manifest(pod.namespace, pod.name)
            if manifest is not None:
                record.write(f"{BARE}/{pod}", {"manifest": afresh(manifest), "restored": False})


def afresh(manifest: dict[str, Any]) -> dict[str, Any]:
    """A pod's manifest without what belonged to that one pod: its node, identity, status and injected token volume."""
    meta, spec = manifest["metadata"], dict(manifest["spec"])
    for name in ("nodeName", "serviceAccount", "ephemeralContainers"):
        spec.pop(name, None)
    account = spec.get("serviceAccountName", "default")
    injected = {
        v["name"] for v in spec.get("volumes", ()) if v["name"].startswith((f"{account}-token-", "kube-api-access-"))
    }
    spec["volumes"] = [volume for volume in spec.get("volumes", ()) if volume["name"] not in injected]
    for kind in spec.keys() & {"containers", "initContainers"}:
        spec[kind] = [
            {**container, "volumeMounts": [m for m in container.get("volumeMounts", ()) if m["name"] not in injected]}
            for container in spec[kind]
        ]
    kept = {name: meta[name] for name in ("name", "namespace", "labels", "annotations") if name in meta}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": kept, "spec": spec}


def _unrestored(record: Record) -> dict[str, dict[str, Any]]:
    """Bare pods that were evicted and not made anew yet. Once they were, deleting them is the operator's business."""
    return {name: kept["manifest"] for name, kept in record.below(BARE).items() if not kept["restored"]}


def _restore_bare(kube: KubeApi, record: Record) -> None:
    missing = _unrestored(record)
    there = {str(pod) for pod in kube.pods() if not pod.deleting}
    for name, manifest in missing.items():
        if name not in there:
            log.info("%s: making the bare pod anew", name)
            kube.create_pod(manifest)
    wait_until(
        f"{', '.join(missing)} made anew: Ready",
        lambda: missing.keys() <= {str(pod) for pod in kube.pods() if pod.ready and not pod.deleting},
        timeout_s=120,
    )
    for name in missing:
        record.write(f"{BARE}/{name}", {"restored": True})
