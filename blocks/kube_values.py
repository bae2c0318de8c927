"""From the Kubernetes client's objects to ours. Pure."""

from __future__ import annotations

from typing import Any

from blocks.ports import Node, Pod, Workload

MIRROR = "kubernetes.io/config.mirror"


def node_of(item: Any) -> Node:
    conditions = {condition.type: condition.status for condition in item.status.conditions or ()}
    internal = [address.address for address in item.status.addresses or () if address.type == "InternalIP"]
    return Node(
        name=item.metadata.name,
        ready=conditions.get("Ready") == "True",
        unschedulable=bool(item.spec.unschedulable),
        address=internal[0] if internal else "",
    )


def pod_of(item: Any) -> Pod:
    conditions = {condition.type: condition for condition in item.status.conditions or ()}
    controller = next((owner.kind for owner in item.metadata.owner_references or () if owner.controller), None)
    return Pod(
        namespace=item.metadata.namespace,
        name=item.metadata.name,
        uid=item.metadata.uid,
        node=item.spec.node_name or "",
        owner=controller,
        phase=item.status.phase,
        ready="Ready" in conditions and conditions["Ready"].status == "True",
        mirror=MIRROR in (item.metadata.annotations or {}),
        deleting=item.metadata.deletion_timestamp is not None,
        reason=_why_not_ready(item, conditions),
    )


def _why_not_ready(item: Any, conditions: dict[str, Any]) -> str:
    """What an operator would read off `kubectl describe`: the waiting container's reason, else the first false condition's."""
    for status in item.status.container_statuses or ():
        waiting = status.state.waiting if status.state else None
        if waiting is not None:
            return f"container {status.name}: {waiting.reason}: {waiting.message or ''}".rstrip(": ")
    false = [condition for condition in conditions.values() if condition.status == "False" and condition.message]
    return false[0].message if false else ""


def workloads_of(deployments: list[Any], stateful_sets: list[Any], daemon_sets: list[Any]) -> list[Workload]:
    return [
        *(_replicated("Deployment", item) for item in deployments),
        *(_replicated("StatefulSet", item) for item in stateful_sets),
        *(_on_every_node(item) for item in daemon_sets),
    ]


def _replicated(kind: str, item: Any) -> Workload:
    observed = (item.status.observed_generation or 0) >= item.metadata.generation
    ready = (item.status.ready_replicas or 0) if observed else 0
    return Workload(kind, item.metadata.namespace, item.metadata.name, item.spec.replicas, ready, _images(item))


def _on_every_node(item: Any) -> Workload:
    status = item.status
    return Workload(
        "DaemonSet", item.metadata.namespace, item.metadata.name, status.desired_number_scheduled, status.number_ready, _images(item)
    )


def _images(item: Any) -> dict[str, str]:
    return {container.name: container.image for container in item.spec.template.spec.containers}
