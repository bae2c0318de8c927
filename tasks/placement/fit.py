"""Whether a pod fits a node, by itself and beside the others. Pure: a small scheduler, for what is required only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from blocks.ports import Manifest
from tasks.placement.evicted import Evicted
from tasks.placement.places import CPU, MEMORY, Place, quantity
from tasks.placement.selectors import selects, unmatched_term, untolerated
from tasks.placement.volumes import Bound, bound_elsewhere, needed_paths


def why_not(pod: Evicted, place: Place, bound: Bound) -> str:
    """The field for which the pod can't run there, even on an empty node; empty when it can."""
    return next(
        filter(
            None,
            (
                _unselected(pod.spec, place),
                bound_elsewhere(pod, place, bound),
                _kept_off(pod.spec, place),
                next((f"hostPath {path} does not exist" for path in needed_paths(pod) if path in place.missing), ""),
                _too_big(requests(pod.spec), place.has, "has"),
            ),
        ),
        "",
    )


def requests(pod: Manifest) -> dict[str, Decimal]:
    """What the pod's containers ask for together; those that initialise run before, one at a time."""
    asked = {}
    for name in (CPU, MEMORY):
        running = sum((_asks(one, name) for one in pod.get("containers") or ()), Decimal(0))
        asked[name] = max([running, *(_asks(one, name) for one in pod.get("initContainers") or ())])
    return asked


@dataclass
class Room:
    """A node that fills with pods."""

    place: Place
    pods: list[Evicted] = field(default_factory=list)
    used: dict[str, Decimal] = field(default_factory=lambda: {CPU: Decimal(0), MEMORY: Decimal(0)})

    def take(self, pod: Evicted) -> None:
        """The pod runs here."""
        self.pods.append(pod)
        for name, value in requests(pod.spec).items():
            self.used[name] += value

    def why_full(self, pod: Evicted, others: Iterable[Room]) -> str:
        """Why the pod can't run here beside those that do; empty when it can."""
        free = {name: value - self.used[name] for name, value in self.place.has.items()}
        taken = {port for other in self.pods for port in host_ports(other.spec)}
        ports = sorted(map(str, host_ports(pod.spec) & taken))
        if ports:
            return f"hostPort {', '.join(ports)} is taken"
        return _too_big(requests(pod.spec), free, "has left") or self._apart(pod, others)

    def _apart(self, pod: Evicted, others: Iterable[Room]) -> str:
        """Required anti-affinity, of the pod to those that run in the same topology, and of those to the pod."""
        for room in others:
            for other in room.pods:
                for key in (*_apart_by(pod, other), *_apart_by(other, pod)):
                    value = self.place.labels.get(key)
                    if value is not None and value == room.place.labels.get(key):
                        return f"podAntiAffinity by {key} to {other.owner}"
        return ""


def host_ports(pod: Manifest) -> set[int]:
    """The ports that the pod takes of its node."""
    ports = [port for one in pod.get("containers") or () for port in one.get("ports") or ()]
    taken = (port.get("hostPort") or (port.get("containerPort") if pod.get("hostNetwork") else 0) for port in ports)
    return {port for port in taken if port}


def fill(rooms: list[Room], pods: Iterable[tuple[Evicted, list[Room]]]) -> list[tuple[Evicted, dict[str, str]]]:
    """Place each pod in one of its rooms, choosy and big ones first, each where most memory is left. Those that find none
    are returned, with the reason of each room.
    """
    left = []
    for pod, fitting in sorted(pods, key=lambda one: (len(one[1]), -requests(one[0].spec)[MEMORY])):
        reasons = {room.place.name: room.why_full(pod, rooms) for room in fitting}
        free = [room for room in fitting if not reasons[room.place.name]]
        if free:
            max(free, key=lambda room: (room.place.has.get(MEMORY, Decimal(0)) - room.used[MEMORY], -len(room.pods))).take(pod)
        else:
            left.append((pod, reasons))
    return left


def _asks(container: Manifest, name: str) -> Decimal:
    resources = container.get("resources") or {}
    return quantity((resources.get("requests") or {}).get(name) or (resources.get("limits") or {}).get(name) or 0)


def _unselected(pod: Manifest, place: Place) -> str:
    for key, value in (pod.get("nodeSelector") or {}).items():
        if place.labels.get(key) != value:
            return f"nodeSelector {key}={value}"
    node = (pod.get("affinity") or {}).get("nodeAffinity") or {}
    required = node.get("requiredDuringSchedulingIgnoredDuringExecution")
    wrong = unmatched_term(required["nodeSelectorTerms"], place.labels, place.name) if required else ""
    return wrong and f"nodeAffinity {wrong}"


def _kept_off(pod: Manifest, place: Place) -> str:
    taint = untolerated(place.taints, pod.get("tolerations") or ())
    return taint and f"no toleration of the taint {taint}"


def _too_big(asked: Mapping[str, Decimal], has: Mapping[str, Decimal], verb: str) -> str:
    for name, value in asked.items():
        if name in has and value > has[name]:
            return f"requests {_shown(name, value)}, {verb} {_shown(name, max(has[name], Decimal(0)))}"
    return ""


def _shown(name: str, value: Decimal) -> str:
    return f"{value / 2**20:.0f} MiB of memory" if name == MEMORY else f"{value.normalize():f} CPUs"


def _apart_by(pod: Evicted, other: Evicted) -> list[str]:
    """The topology keys by which `pod` must not be where `other` is."""
    apart = (pod.spec.get("affinity") or {}).get("podAntiAffinity") or {}
    return [
        term["topologyKey"]
        for term in apart.get("requiredDuringSchedulingIgnoredDuringExecution") or ()
        if other.pod.namespace in (term.get("namespaces") or [pod.pod.namespace]) and selects(term.get("labelSelector"), other.labels)
    ]
