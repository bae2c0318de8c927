"""What preflight foresaw of the drains, beside what then happened: every difference is a surprise."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from deployments.lab import api
from deployments.lab.machines import find
from tests.lab import world
from tests.lab.watcher import Watcher

PACE_S = 2.0
PATIENCE_S = 20.0  # the scheduler tries again after 10 s at most when a pod that this one waits for has a node
NOWHERE = ("pod-runs-nowhere", "volume-stays", "pod-finds-no-room")
UNSURE = ("pod-may-find-no-room", "workload-broken-before")
STUCK = ("budget-never-allows", "budgets-of-one-pod", "budget-used-up")

Item = dict[str, Any]


@dataclass
class Waited:
    """A pod that the scheduler found no node for."""

    owner: str
    since: float
    until: float
    why: str

    @property
    def seconds(self) -> float:
        return self.until - self.since


class Pods(Watcher):
    """The cluster's pods, looked at through the VIP until the context ends."""

    def __init__(self) -> None:
        super().__init__()
        self.before: Counter[str] = Counter()
        """By controller, its pods on the sources at the first look."""
        self.waited: dict[str, Waited] = {}
        self.last: list[Item] = []
        self.looks = 0

    def look(self, items: list[Item], at: float) -> None:
        """The pods as they are at that time, in seconds since the epoch."""
        moving = [item for item in items if not _stays(item)]
        if not self.looks:
            self.before.update(owner_of(item) for item in moving if item["spec"].get("nodeName") in world.SOURCES)
        for item in moving:
            why = _why_unscheduled(item)
            if why:
                seen = self.waited.setdefault(item["metadata"]["uid"], Waited(owner_of(item), at, at, why))
                seen.until, seen.why = at, why
        self.last, self.looks = items, self.looks + 1

    def ready(self, owner: str) -> int:
        """How many of its pods were Ready on targets at the last look."""
        its = (item for item in self.last if owner_of(item) == owner and item["spec"].get("nodeName") in world.TARGETS)
        return sum(_is_ready(item) for item in its)

    def watch(self) -> None:
        while True:
            last = self.ended.wait(PACE_S)
            items = api.objects(find("vm-1"), ["Pod"], address=world.VIP).get("Pod")
            if items:
                self.look(items, time.time())
            if last:
                return


def owner_of(item: Item) -> str:
    """As reports name a pod's controller; a bare pod by its own name."""
    meta = item["metadata"]
    owner = next((one for one in meta.get("ownerReferences", ()) if one.get("controller")), None)
    if owner is None:
        return f"Pod {meta['namespace']}/{meta['name']}"
    group, kind, name = owner["apiVersion"].rpartition("/")[0], owner["kind"], owner["name"]
    if kind == "ReplicaSet":
        kind, name = "Deployment", name.rpartition("-")[0]
    return f"{kind}{'' if group in ('', 'apps', 'batch') else f'.{group}'} {meta['namespace']}/{name}"


def surprises(report: Item, pods: Pods) -> list[str]:
    """What the cluster did and preflight did not say, and the other way round; empty when all came as foreseen.

    After a run that failed, what has not moved is no surprise.
    """
    said = {finding["where"]: finding["id"] for entry in report["entries"] for finding in entry["findings"]}
    moved = _not_moved(said, pods) if report["outcome"] == "verified" else ()
    return [*_not_placed(said, pods), *moved, *_unfulfilled(said, pods), *_not_left(report["entries"], set(said.values()))]


def _not_placed(said: dict[str, str], pods: Pods) -> Iterator[str]:
    for waited in pods.waited.values():
        if waited.seconds > PATIENCE_S and said.get(waited.owner) not in (*NOWHERE, *UNSURE):
            yield f"{waited.owner}: found no node for {waited.seconds:.0f} s, which was not foreseen: {waited.why}"


def _not_moved(said: dict[str, str], pods: Pods) -> Iterator[str]:
    for owner, count in pods.before.items():
        if pods.ready(owner) < count and said.get(owner) not in (*NOWHERE, *UNSURE):
            yield f"{owner}: {pods.ready(owner)} of {count} pods run on targets, which was not foreseen"


def _unfulfilled(said: dict[str, str], pods: Pods) -> Iterator[str]:
    for owner, id in said.items():
        if id in NOWHERE and pods.before[owner] and pods.ready(owner) >= pods.before[owner]:
            yield f"{owner}: runs on targets, though preflight said {id}"


def _not_left(entries: Iterable[Item], said: set[str]) -> Iterator[str]:
    for entry in entries:
        if entry["step"] == "drain" and entry["outcome"] == "failed" and not said & {*STUCK, *NOWHERE, *UNSURE}:
            yield f"{entry['target']}: could not be drained, which was not foreseen: {entry['why']}"


def _stays(item: Item) -> bool:
    owners = {owner["kind"] for owner in item["metadata"].get("ownerReferences", ())}
    return bool(owners & {"DaemonSet", "Node"}) or item["status"].get("phase") in ("Succeeded", "Failed")


def _why_unscheduled(item: Item) -> str:
    conditions = {condition["type"]: condition for condition in item["status"].get("conditions", ())}
    scheduled = conditions.get("PodScheduled", {})
    return scheduled.get("message", "no reason given") if scheduled.get("status") == "False" else ""


def _is_ready(item: Item) -> bool:
    return any(c["type"] == "Ready" and c["status"] == "True" for c in item["status"].get("conditions", ()))
