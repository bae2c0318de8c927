"""From the Kubernetes API's JSON to our values. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable

from blocks.ports import Manifest, Node, Pod, RestoreObject, Workload

WORKLOAD_KINDS = {"Deployment": "deployments", "StatefulSet": "statefulsets", "DaemonSet": "daemonsets"}
NATIVE_GROUPS = ("", "apps", "batch")
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
        runtime=status.get("nodeInfo", {}).get("containerRuntimeVersion", ""),
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
    controller = next((owner for owner in meta.get("ownerReferences") or () if owner.get("controller")), None)
    return Pod(
        namespace=meta["namespace"],
        name=meta["name"],
        uid=meta["uid"],
        node=item["spec"].get("nodeName", ""),
        owner=controller and controller["kind"],
        phase=status.get("phase", "Unknown"),
        ready=conditions.get("Ready", {}).get("status") == "True",
        controller=_controller(meta, controller) if controller else "",
        mirror=MIRROR in (meta.get("annotations") or {}),
        deleting="deletionTimestamp" in meta,
        reason=_why_not_ready(status, conditions),
        address="" if item["spec"].get("hostNetwork") else status.get("podIP", ""),
        port=_first_port(item["spec"]),
    )


def _first_port(spec: Manifest) -> int:
    declared = (port for container in spec.get("containers") or () for port in container.get("ports") or ())
    return next((port["containerPort"] for port in declared if port.get("protocol", "TCP") == "TCP"), 0)


def _controller(meta: Manifest, owner: Manifest) -> str:
    """As kubectl names it. The hash of a Deployment's template is a label of its pods and ends its ReplicaSets' names."""
    group = owner.get("apiVersion", "").rpartition("/")[0]
    kind, name = owner["kind"], owner["name"]
    suffix = f"-{(meta.get('labels') or {}).get('pod-template-hash')}"
    if (group, kind) == ("apps", "ReplicaSet") and name.endswith(suffix):
        kind, name = "Deployment", name.removesuffix(suffix)
    return f"{kind}{'' if group in NATIVE_GROUPS else f'.{group}'} {meta['namespace']}/{name}"


def selector_text(selector: Manifest) -> str:
    """A label selector as a query has it."""
    parts = [f"{key}={value}" for key, value in (selector.get("matchLabels") or {}).items()]
    for one in selector.get("matchExpressions") or ():
        values = f"({','.join(one.get('values') or ())})"
        words = {"In": f"{one['key']} in {values}", "NotIn": f"{one['key']} notin {values}", "DoesNotExist": f"!{one['key']}"}
        parts.append(words.get(one["operator"], one["key"]))
    return ",".join(parts)


def workload_of(kind: str, item: Manifest) -> Workload:
    """A workload's spec and state; a status that is older than the last change of the spec counts as nothing ready."""
    meta, status = item["metadata"], item["status"]
    current = status.get("observedGeneration", 0) >= meta.get("generation", 0)
    if kind == "DaemonSet":
        desired, ready = status.get("desiredNumberScheduled", 0), status.get("numberReady", 0)
        updated = status.get("updatedNumberScheduled", 0) >= desired
    else:
        desired, ready = item["spec"].get("replicas", 1), status.get("readyReplicas", 0)
        updated = _replicas_updated(kind, item["spec"], status, desired)
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
        on_delete=item["spec"].get("updateStrategy", {}).get("type") == "OnDelete",
        initial=frozenset(container["name"] for container in initial),
    )


def _replicas_updated(kind: str, spec: Manifest, status: Manifest, desired: int) -> bool:
    """As `kubectl rollout status` sees it: all replicas of the new template, none of the old one left. A StatefulSet with a
    partition keeps as many of the old one; with OnDelete none is replaced until somebody deletes it.
    """
    replicas, updated = status.get("replicas", 0), status.get("updatedReplicas", 0)
    if kind == "StatefulSet":
        strategy = spec.get("updateStrategy") or {}
        partition = (strategy.get("rollingUpdate") or {}).get("partition") or 0
        if partition or strategy.get("type") == "OnDelete":
            return bool(updated >= desired - partition)
        return bool(status.get("updateRevision") == status.get("currentRevision"))
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
