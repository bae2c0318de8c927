"""Whether every pod that the drains evict finds a node: each by itself first, then all of them together."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace

from blocks.ports import Host, KubeApi
from configs.platform import Platform
from tasks.engine.check import check
from tasks.engine.finding import Checked, Findings
from tasks.placement.evicted import (
    Bound,
    Evicted,
    bound_volumes,
    daemons,
    data_left,
    evicted_pods,
    needed_paths,
    one_per_owner,
)
from tasks.placement.fit import Drains, bound_elsewhere, why_not
from tasks.placement.places import Place, future_places, source_places
from tasks.placement.topology import not_judged
from tasks.workloads.drain import why_stays
from tasks.workloads.surge import to_surge

TEMPLATED = ("Deployment", "StatefulSet")
SECOND = ", the second replica"  # added to the name of the pod that a surge puts beside


@check("check placement")
def check_placement(platform: Platform, kube: KubeApi, hosts: Mapping[str, Host]) -> Checked:
    """Every pod that would be evicted can run on a target: labels, taints, volumes, paths, ports, size and what it wants of others."""
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
    _judge_together(found, _drains(platform, kube, places, pods, fitting))
    _judge_named(found, platform, kube)
    for pod in one_per_owner(pods):
        _judge_data(found, pod, bound, platform)
        _judge_unread(found, pod)
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


def _drains(platform: Platform, kube: KubeApi, places: list[Place], pods: list[Evicted], fitting: dict[str, set[str]]) -> Drains:
    """Pods of lost sources come first, then the second replicas, which are made before the first drain, then source by source.

    What runs on the sources is there for the others until it is evicted.
    """
    lost, names = {source.name for source in platform.lost}, [source.name for source in platform.sources]
    surged = {str(workload) for workload in to_surge(platform, kube, names)}
    singles = [pod for pod in pods if pod.owner in surged]
    second = [Evicted(replace(pod.pod, name=f"{pod.pod.name}{SECOND}"), pod.manifest) for pod in singles]
    turns = [[pod for pod in pods if pod.pod.node in lost], second]
    turns += [[pod for pod in pods if pod.pod.node == name] for name in names if name not in lost]
    fitting = fitting | {str(its.pod): fitting[str(pod.pod)] for pod, its in zip(singles, second, strict=True)}
    sources = source_places(platform, kube)
    running = [*_running(kube, {place.name for place in (*places, *sources)}), *_coming(kube, places)]
    return Drains(places, sources, running, turns, fitting)


def _running(kube: KubeApi, nodes: Collection[str]) -> Iterator[Evicted]:
    there = {str(pod): pod for pod in kube.pods() if pod.node in nodes and why_stays(pod) != "finished"}
    for manifest in kube.listed("Pod") if there else ():
        name = f"{manifest['metadata']['namespace']}/{manifest['metadata']['name']}"
        if name in there:
            yield Evicted(there[name], manifest)


def _coming(kube: KubeApi, places: list[Place]) -> list[Evicted]:
    """The pods of DaemonSets that nodes get when they join."""
    joining = [place for place in places if not place.joined]
    return [daemon for place in joining for daemon in daemons(kube, place.name) if not why_not(daemon, place, {})]


def _judge_together(found: Findings, drains: Drains) -> None:
    """Refused is what finds no room in any order. The scheduler has an order of its own: what finds none in the worst is a warning."""
    left = {pod.owner: (pod, reasons) for pod, reasons in reversed(drains.left())}
    never = bool(left) and bool(drains.left(first=left))
    worst = {pod.owner: (pod, reasons) for pod, reasons in reversed(drains.left(backwards=True))}
    for owner, (pod, reasons) in (worst | left).items():
        why = _grouped({place: reason.text for place, reason in reasons.items()})
        if owner in left and never and all(reason.sure for reason in reasons.values()):
            found.refuse(
                "pod-finds-no-room",
                f"not all of its pods would find a node beside the others: {why}",
                _more_room(owner, pod),
                where=owner,
            )
        else:
            found.warn(
                "pod-may-find-no-room",
                f"whether all of its pods find a node depends on which come first, and on the scheduler: {why}",
                f"{_more_room(owner, pod)}, to be sure",
                where=owner,
            )


def _more_room(owner: str, pod: Evicted) -> str:
    if pod.pod.name.endswith(SECOND):
        return f"list {owner.partition(' ')[2]} in drain.no_surge"
    return "add a target, or let the workload have fewer replicas or smaller requests while it moves"


def _judge_unread(found: Findings, pod: Evicted) -> None:
    fields = not_judged(pod)
    if fields:
        found.warn(
            "pod-may-find-no-room",
            f"its pods require {', '.join(fields)}, which is not computed",
            "see that the targets satisfy it",
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
