"""Whether every pod that the drains evict finds a node: each by itself first, then all of them together."""

from __future__ import annotations

from collections.abc import Mapping

from blocks.ports import Host, KubeApi
from configs.platform import Platform
from tasks.engine.check import check
from tasks.engine.finding import Checked, Findings
from tasks.placement.evicted import Evicted, daemons, evicted_pods, one_per_owner
from tasks.placement.fit import Room, fill, why_not
from tasks.placement.places import Place, future_places
from tasks.placement.volumes import Bound, bound_elsewhere, bound_volumes, data_left, needed_paths
from tasks.workloads.drain import why_stays

TEMPLATED = ("Deployment", "StatefulSet")


@check("check placement")
def check_placement(platform: Platform, kube: KubeApi, hosts: Mapping[str, Host]) -> Checked:
    """Every pod that would be evicted can run on a target: labels, taints, volumes, paths, ports and size, all together."""
    found = Findings("cluster")
    pods = evicted_pods(platform, kube)
    if not pods:
        return found.checked("no pod has to move")
    bound = bound_volumes(kube)
    places = future_places(platform, kube, hosts, (path for pod in pods for path in needed_paths(pod)))
    reasons = {str(pod.pod): {place.name: why_not(pod, place, bound) for place in places} for pod in pods}
    fitting = {name: {place for place, why in by_place.items() if not why} for name, by_place in reasons.items()}
    for pod in one_per_owner(pod for pod in pods if not fitting[str(pod.pod)]):
        _judge_nowhere(found, pod, places, bound, reasons[str(pod.pod)])
    _judge_together(found, kube, places, pods, fitting)
    _judge_named(found, platform, kube)
    for pod in one_per_owner(pods):
        _judge_data(found, pod, bound, platform)
        if pod.pod.owner == "Job":
            found.note("job-begins-anew", f"its pod on {pod.pod.node} is evicted, so its work begins anew elsewhere", where=pod.owner)
    return found.checked(f"{len(pods)} pods would move to {len(places)} nodes")


def _judge_nowhere(found: Findings, pod: Evicted, places: list[Place], bound: Bound, reasons: dict[str, str]) -> None:
    if all(bound_elsewhere(pod, place, bound) for place in places):
        found.refuse(
            "volume-stays",
            f"its pods can't leave their node: {_grouped(reasons)}",
            "move its data first: a database's by its own means (TiDB: scale out, then in), another's to a new volume on a target",
            where=pod.owner,
        )
    else:
        found.refuse(
            "pod-runs-nowhere",
            f"its pods would run on no target: {_grouped(reasons)}",
            "write labels, taints or labels_from at targets in the config, or correct the workload",
            where=pod.owner,
        )


def _judge_together(
    found: Findings, kube: KubeApi, places: list[Place], pods: list[Evicted], fitting: dict[str, set[str]]
) -> None:
    """Pods that already run on these nodes are there first, and on new ones those of DaemonSets."""
    rooms = {place.name: Room(place) for place in places}
    there = {str(pod): pod for pod in kube.pods() if pod.node in rooms and why_stays(pod) != "finished"}
    for manifest in kube.listed("Pod") if there else ():
        name = f"{manifest['metadata']['namespace']}/{manifest['metadata']['name']}"
        if name in there:
            rooms[there[name].node].take(Evicted(there[name], manifest))
    coming = daemons(kube)
    for room in (room for room in rooms.values() if not room.place.joined):
        for daemon in coming:
            if not why_not(daemon, room.place, {}):
                room.take(daemon)
    choices = [(pod, [rooms[name] for name in sorted(fitting[str(pod.pod)])]) for pod in pods if fitting[str(pod.pod)]]
    left = dict((str(pod.pod), (pod, reasons)) for pod, reasons in fill(list(rooms.values()), choices))
    for pod in one_per_owner(pod for pod, _ in left.values()):
        found.refuse(
            "pod-finds-no-room",
            f"not all of its pods would find a node beside the others: {_grouped(left[str(pod.pod)][1])}",
            "add a target, or let the workload have fewer replicas or smaller requests while it moves",
            where=pod.owner,
        )


def _judge_named(found: Findings, platform: Platform, kube: KubeApi) -> None:
    """A template with a node's name gets its pods there, past scheduler and cordon."""
    sources = {source.name for source in platform.sources}
    for kind in TEMPLATED:
        for manifest in kube.listed(kind):
            node = manifest["spec"]["template"]["spec"].get("nodeName")
            if node in sources:
                meta = manifest["metadata"]
                found.refuse(
                    "pod-of-one-node",
                    f"spec.template.spec.nodeName is {node}: its pods come back there, also when the node is cordoned",
                    f"kubectl edit {kind.lower()} -n {meta['namespace']} {meta['name']}",
                    where=f"{kind} {meta['namespace']}/{meta['name']}",
                    final=manifest["spec"].get("replicas") != 0,
                )


def _judge_data(found: Findings, pod: Evicted, bound: Bound, platform: Platform) -> None:
    paths = data_left(pod, bound, platform)
    if paths:
        found.warn(
            "host-data-stays",
            f"its pod mounts {', '.join(paths)} of its node; what {pod.pod.node} has there is not moved",
            "copy it to the targets, or mount the same file system there",
            where=pod.owner,
        )


def _grouped(reasons: dict[str, str]) -> str:
    """Nodes of one reason together."""
    by_reason = dict[str, list[str]]()
    for name, reason in reasons.items():
        by_reason.setdefault(reason, []).append(name)
    return "; ".join(f"{', '.join(names)}: {reason}" for reason, names in by_reason.items())
