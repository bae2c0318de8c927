"""From the Kubernetes API's JSON to our values. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from blocks.ports import Node, Pod, RestoreObject, Workload

Manifest = dict[str, Any]

WORKLOAD_KINDS = {"Deployment": "deployments", "StatefulSet": "statefulsets", "DaemonSet": "daemonsets"}
MIRROR = "kubernetes.io/config.mirror"
NODE_ARGS = "k3s.io/node-args"
ENDED = ("Complete", "Failed", "Invalid")  # a restore's conditions that no other one changes any more, the first first


def node_of(item: Manifest) -> Node:
    """A node; ready only if its kubelet says so."""
    meta, status = item["metadata"], item["status"]
    conditions = {condition["type"]: condition["status"] for condition in status.get("conditions") or ()}
    internal = [address["address"] for address in status.get("addresses") or () if address["type"] == "InternalIP"]
    return Node(
        name=meta["name"],
        ready=conditions.get("Ready") == "True",
        unschedulable=bool(item["spec"].get("unschedulable")),
        address=internal[0] if internal else "",
        version=status.get("nodeInfo", {}).get("kubeletVersion", ""),
        uid=meta.get("uid", ""),
        deleting="deletionTimestamp" in meta,
        args=_arguments((meta.get("annotations") or {}).get(NODE_ARGS, "")),
    )


def _arguments(annotation: str) -> tuple[str, ...]:
    """A JSON list of words; none where there is no such annotation, or somebody has written another thing there."""
    try:
        words = json.loads(annotation or "[]")
    except ValueError:
        return ()
    return tuple(map(str, words)) if isinstance(words, list) else ()


def pod_of(item: Manifest) -> Pod:
    """A pod, with why it is not Ready."""
    meta, status = item["metadata"], item["status"]
    conditions = {condition["type"]: condition for condition in status.get("conditions") or ()}
    owners = meta.get("ownerReferences") or ()
    return Pod(
        namespace=meta["namespace"],
        name=meta["name"],
        uid=meta["uid"],
        node=item["spec"].get("nodeName", ""),
        owner=next((owner["kind"] for owner in owners if owner.get("controller")), None),
        phase=status.get("phase", "Unknown"),
        ready=conditions.get("Ready", {}).get("status") == "True",
        mirror=MIRROR in (meta.get("annotations") or {}),
        deleting="deletionTimestamp" in meta,
        reason=_why_not_ready(status, conditions),
    )


def workload_of(kind: str, item: Manifest) -> Workload:
    """A workload's spec and state; a status that is older than the last change of the spec counts as nothing ready."""
    meta, status = item["metadata"], item["status"]
    current = status.get("observedGeneration", 0) >= meta.get("generation", 0)
    if kind == "DaemonSet":
        desired, ready = status.get("desiredNumberScheduled", 0), status.get("numberReady", 0)
        updated = status.get("updatedNumberScheduled", 0) >= desired
    else:
        desired, ready = item["spec"].get("replicas", 1), status.get("readyReplicas", 0)
        updated = _replicas_updated(kind, status, desired)
    pod = item["spec"]["template"]["spec"]
    initial = pod.get("initContainers") or []
    return Workload(
        kind,
        meta["namespace"],
        meta["name"],
        desired,
        ready if current else 0,
        {container["name"]: container["image"] for container in (*initial, *pod["containers"])},
        updated=current and updated,
        recreate=item["spec"].get("strategy", {}).get("type") == "Recreate",
        initial=frozenset(container["name"] for container in initial),
    )


def _replicas_updated(kind: str, status: Manifest, desired: int) -> bool:
    """As `kubectl rollout status` sees it: all replicas of the new template, none of the old one left."""
    if kind == "StatefulSet":
        return bool(status.get("updateRevision") == status.get("currentRevision"))
    replicas, updated = status.get("replicas", 0), status.get("updatedReplicas", 0)
    return bool(updated >= desired and replicas <= updated)


def restore_of(item: Manifest) -> RestoreObject:
    """A restore's phase, by its conditions, and what that one's condition says.

    TiDB's operator writes no `status.phase` from 1.1.0 to 1.1.5, and from 1.6.2 on another one after Failed (Prune...).
    """
    status, meta = item.get("status") or {}, item["metadata"]
    conditions = sorted(status.get("conditions") or (), key=lambda condition: str(condition.get("lastTransitionTime", "")))
    true = {condition["type"]: condition for condition in conditions if condition.get("status") == "True"}
    ended = next((kind for kind in ENDED if kind in true), "")
    phase = ended or status.get("phase") or next(reversed(true), "")
    said = true.get(phase) or (conditions[-1] if conditions else {})
    return RestoreObject(meta["uid"], meta["creationTimestamp"], phase, said.get("message", ""))


def image_ids(pods: Iterable[Manifest]) -> dict[str, str]:
    """Image to image id (digest) of all containers that were ever started in these pods."""
    statuses = (status for pod in pods for status in pod["status"].get("containerStatuses") or ())
    return {status["image"]: status["imageID"] for status in statuses if status.get("imageID")}


def _why_not_ready(status: Manifest, conditions: dict[str, Manifest]) -> str:
    """What an operator would read off `kubectl describe`: the waiting container's reason, else the first false condition's."""
    for container in status.get("containerStatuses") or ():
        waiting = (container.get("state") or {}).get("waiting")
        if waiting:
            return f"container {container['name']}: {waiting.get('reason')}: {waiting.get('message', '')}".rstrip(": ")
    return next((c["message"] for c in conditions.values() if c["status"] == "False" and c.get("message")), "")
