"""Whether a pod fits a node, by itself and beside the others. Pure: a small scheduler, for what is required only."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from blocks.ports import Manifest
from tasks.placement.evicted import Bound, Evicted, host_ports, needed_paths, requests, volumes_of
from tasks.placement.places import CPU, MEMORY, Place
from tasks.placement.selectors import unmatched_term, unselected, untolerated
from tasks.placement.topology import Reason, lacks_topology, why_apart


def why_not(pod: Evicted, place: Place, bound: Bound) -> str:
    """The field for which the pod can't run there, even on an empty node; empty when it can."""
    return next(
        filter(
            None,
            (
                unselected(pod.spec, place.labels, place.name),
                bound_elsewhere(pod, place, bound),
                lacks_topology(pod, place),
                _kept_off(pod.spec, place),
                next((f"hostPath {path} does not exist" for path in needed_paths(pod) if path in place.missing), ""),
                _too_big(requests(pod.spec), place.has, "has"),
            ),
        ),
        "",
    )


def bound_elsewhere(pod: Evicted, place: Place, bound: Bound) -> str:
    """Why a volume of the pod can't be used on this node; empty when all can."""
    for volume in volumes_of(pod, bound):
        required = (volume["spec"].get("nodeAffinity") or {}).get("required")
        wrong = unmatched_term(required["nodeSelectorTerms"], place.labels, place.name) if required else ""
        if wrong:
            return f"PersistentVolume {volume['metadata']['name']} wants {wrong}"
    return ""


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

    def give_up(self, pods: Iterable[Evicted]) -> None:
        """The pods are evicted."""
        leaving = {str(pod.pod) for pod in pods}
        self.pods = [pod for pod in self.pods if str(pod.pod) not in leaving]

    def why_full(self, pod: Evicted, rooms: Sequence[Room]) -> Reason | None:
        """Why the pod can't run here beside those that do, here and on the other nodes; None when it can."""
        free = {name: value - self.used[name] for name, value in self.place.has.items()}
        taken = {port for other in self.pods for port in host_ports(other.spec)}
        ports = sorted(map(str, host_ports(pod.spec) & taken))
        if ports:
            return Reason(f"hostPort {', '.join(ports)} is taken")
        big = _too_big(requests(pod.spec), free, "has left")
        return Reason(big) if big else why_apart(pod, self, rooms)


Choice = tuple[Evicted, list[Room]]
"""A pod, and the rooms that it fits by itself."""
Left = tuple[Evicted, dict[str, Reason]]
"""A pod that finds no node, and why it is none of these."""


def fill(rooms: Sequence[Room], pods: Iterable[Choice], first: Collection[str] = (), *, backwards: bool = False) -> list[Left]:
    """Place each pod in one of its rooms: those of owners that come `first`, then choosy and big ones; or `backwards`.

    One that finds none is tried again when others have one: it may want their company. Those that stay are returned.
    """

    def rank(choice: Choice) -> tuple[bool, int, Decimal]:
        return choice[0].owner not in first, len(choice[1]), -requests(choice[0].spec)[MEMORY]

    left = sorted(pods, key=rank)
    if backwards:
        left.reverse()
    while True:
        waiting = [(pod, fitting) for pod, fitting in left if not _found(pod, fitting, rooms)]
        if len(waiting) == len(left):
            return [(pod, _reasons(pod, fitting, rooms)) for pod, fitting in left]
        left = waiting


def _found(pod: Evicted, fitting: list[Room], rooms: Sequence[Room]) -> bool:
    """Whether there was a room for it; it takes the one where most memory is left."""
    free = [room for room in fitting if room.why_full(pod, rooms) is None]
    if free:
        max(free, key=lambda room: (room.place.has.get(MEMORY, Decimal(0)) - room.used[MEMORY], -len(room.pods))).take(pod)
    return bool(free)


def _reasons(pod: Evicted, fitting: list[Room], rooms: Sequence[Room]) -> dict[str, Reason]:
    found = {room.place.name: room.why_full(pod, rooms) for room in fitting}
    return {name: reason for name, reason in found.items() if reason}


@dataclass
class Drains:
    """The drains, computed: in each turn some pods are evicted at a time, and have to find a node beside those that run then."""

    places: list[Place]
    sources: list[Place]
    running: list[Evicted]
    """On places and sources, before the first turn."""
    turns: list[list[Evicted]]
    fitting: dict[str, set[str]]
    """By pod, the places that it fits by itself."""

    def left(self, first: Collection[str] = (), *, backwards: bool = False) -> list[Left]:
        """The pods that find no node, when those of a turn come in this order; see `fill`."""
        rooms = {place.name: Room(place) for place in (*self.places, *self.sources)}
        for pod in self.running:
            rooms[pod.pod.node].take(pod)
        found = list[Left]()
        for leaving in self.turns:
            for source in self.sources:
                rooms[source.name].give_up(leaving)
            choices = [(pod, [rooms[name] for name in sorted(self.fitting[str(pod.pod)])]) for pod in leaving]
            found += fill(list(rooms.values()), [choice for choice in choices if choice[1]], first, backwards=backwards)
        return found


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
