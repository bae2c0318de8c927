"""What a pod requires of the pods around it: affinity, anti-affinity, topology spread. Pure.

As the filters of kube-scheduler 1.20.8 have it (pkg/scheduler/framework/plugins/interpodaffinity/filtering.go and
podtopologyspread/filtering.go). What later versions added to them is named, not judged.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from blocks.ports import Manifest
from tasks.placement.evicted import Evicted
from tasks.placement.places import Place
from tasks.placement.selectors import matches, unselected

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
LATER_OF_TERMS: tuple[str, ...] = ("namespaceSelector", "matchLabelKeys", "mismatchLabelKeys")
LATER_OF_SPREADS: tuple[str, ...] = ("minDomains", "nodeAffinityPolicy", "nodeTaintsPolicy", "matchLabelKeys")


@dataclass(frozen=True)
class Reason:
    """Why a pod can't run on a node beside others; not `sure` where it depends on the node that the scheduler gives another."""

    text: str
    sure: bool = True


class Occupied(Protocol):
    """A node and the pods that are there."""

    place: Place
    pods: list[Evicted]


def lacks_topology(pod: Evicted, place: Place) -> str:
    """The label by which the node would have to be in a topology, and which it has not; empty when it has all."""
    keys = [("podAffinity", term["topologyKey"]) for term in _terms(pod, "podAffinity")]
    keys += [("topologySpreadConstraints", spread["topologyKey"]) for spread in _spreads(pod)]
    return next((f"{field} by {key}, which it has no label of" for field, key in keys if key not in place.labels), "")


def not_judged(pod: Evicted) -> list[str]:
    """Fields of a required affinity or spread that are of a later Kubernetes."""
    asked = [(name, term, LATER_OF_TERMS) for name in ("podAffinity", "podAntiAffinity") for term in _terms(pod, name)]
    asked += [("topologySpreadConstraints", spread, LATER_OF_SPREADS) for spread in _spreads(pod)]
    return list(dict.fromkeys(f"{name}.{field}" for name, part, fields in asked for field in fields if part.get(field) is not None))


def why_apart(pod: Evicted, there: Occupied, nodes: Sequence[Occupied]) -> Reason | None:
    """Why the pods that are on all the nodes keep this one from running there; None when they don't."""
    return _kept_apart(pod, there, nodes) or _without_company(pod, there, nodes) or _uneven(pod, there, nodes)


def _kept_apart(pod: Evicted, there: Occupied, nodes: Sequence[Occupied]) -> Reason | None:
    """Required anti-affinity, of the pod to those that run in the same topology, and of those to the pod."""
    for node in nodes:
        for other in node.pods:
            for key in (*_apart_by(pod, other), *_apart_by(other, pod)):
                if _together(key, there, node):
                    return Reason(f"podAntiAffinity by {key} to {other.owner}")
    return None


def _without_company(pod: Evicted, there: Occupied, nodes: Sequence[Occupied]) -> Reason | None:
    """Required affinity: of the pods that match all terms, one must be in each term's topology. A pod that itself matches
    them need not wait for another while there is none.
    """
    terms = _terms(pod, "podAffinity")
    if not terms:
        return None
    company = [(node, other) for node in nodes for other in node.pods if all(_is_meant(term, pod, other) for term in terms)]
    if not company and all(_is_meant(term, pod, pod) for term in terms):
        return None
    for key in (term["topologyKey"] for term in terms):
        if not any(_together(key, there, node) for node, _ in company):
            movable = any(_is_movable(node, other) for node, other in company)
            return Reason(f"podAffinity by {key}: none of the pods that it wants is there", sure=not movable)
    return None


def _uneven(pod: Evicted, there: Occupied, nodes: Sequence[Occupied]) -> Reason | None:
    """Spread over all nodes that the pod selects, cordoned and tainted ones too: an emptied source counts as a topology of none."""
    spreads = _spreads(pod)
    keys = [spread["topologyKey"] for spread in spreads]
    counted = [
        node for node in nodes if node.place.labels.keys() >= {*keys} and not unselected(pod.spec, node.place.labels, node.place.name)
    ]
    for key, spread in zip(keys, spreads, strict=True):
        by_value = {node.place.labels[key]: list[tuple[Occupied, Evicted]]() for node in counted}
        for node in counted:
            by_value[node.place.labels[key]] += [(node, other) for other in node.pods if _is_counted(spread, pod, other)]
        here = by_value[there.place.labels[key]]
        with_it = len(here) + matches(spread.get("labelSelector"), pod.labels)
        least = min(map(len, by_value.values()))
        if with_it - least > spread["maxSkew"]:
            sure = not any(_is_movable(node, other) for node, other in here if other.owner != pod.owner)
            return Reason(f"topologySpreadConstraints by {key}: {with_it} there, {least} elsewhere, maxSkew {spread['maxSkew']}", sure)
    return None


def _terms(pod: Evicted, name: str) -> list[Manifest]:
    return list(((pod.spec.get("affinity") or {}).get(name) or {}).get(REQUIRED) or ())


def _spreads(pod: Evicted) -> list[Manifest]:
    return [one for one in pod.spec.get("topologySpreadConstraints") or () if one["whenUnsatisfiable"] == "DoNotSchedule"]


def _apart_by(pod: Evicted, other: Evicted) -> Iterator[str]:
    """The topology keys by which `pod` must not be where `other` is."""
    return (term["topologyKey"] for term in _terms(pod, "podAntiAffinity") if _is_meant(term, pod, other))


def _is_meant(term: Mapping[str, Manifest], pod: Evicted, other: Evicted) -> bool:
    """Whether the term of `pod` selects `other`."""
    return other.pod.namespace in (term.get("namespaces") or [pod.pod.namespace]) and matches(term.get("labelSelector"), other.labels)


def _is_counted(spread: Manifest, pod: Evicted, other: Evicted) -> bool:
    same = other.pod.namespace == pod.pod.namespace and not other.pod.deleting
    return same and matches(spread.get("labelSelector"), other.labels)


def _is_movable(node: Occupied, other: Evicted) -> bool:
    """Whether the pod is there because it was foreseen to come: the scheduler may choose another node."""
    return other.pod.node != node.place.name


def _together(key: str, there: Occupied, node: Occupied) -> bool:
    value = there.place.labels.get(key)
    return value is not None and value == node.place.labels.get(key)
