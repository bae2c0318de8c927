"""Who keeps pods running, of whatever kind, and how many of whose pods were Ready before the move."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from blocks.ports import KubeApi, Pod, Workload
from configs.platform import Platform
from tasks.engine.outcome import Outcome, changed, planned, unchanged
from tasks.engine.record import Record
from tasks.engine.run import Run
from tasks.engine.step import step

READY = "ready"  # in the record: {"broken": workloads that were incomplete, "others": other controllers}, each with Ready pods
PASSING = ("Job", "DaemonSet", "Node")  # a Job's pods end by themselves, the others' are as many as there are nodes
OVER = ("Succeeded", "Failed")


@dataclass(frozen=True)
class Incomplete:
    """A controller that lacks Ready pods; `reasons` are its pods that are not Ready, each with the reason."""

    owner: str
    """As kubectl names it: "kind namespace/name"."""
    ready: int
    expected: int
    reasons: tuple[str, ...] = ()

    @property
    def what(self) -> str:
        """How far it is, and why no further."""
        return "; ".join((f"{self.ready} of {self.expected} ready", *self.reasons))

    def __str__(self) -> str:
        return f"{self.owner}: {self.what}"


def lacking(platform: Platform, kube: KubeApi, record: Record | None = None) -> list[Incomplete]:
    """All that have fewer Ready pods than they should, but `ignore_workloads`.

    Deployments, StatefulSets and DaemonSets should have their replicas; other controllers, which say nothing that is read
    here, as many as the record has, or all of their pods. What the record says was broken needs no more than it had.
    """
    before = (record.read(READY) if record else None) or {"broken": {}, "others": None}
    workloads, pods = kube.workloads(), _controlled(kube)
    # A DaemonSet is desired on every node, also on one that has just been stopped and is not deleted yet.
    stopped = sum(not node.ready for node in kube.nodes()) if any(w.ready < w.desired for w in workloads) else 0
    found = [_of_workload(w, stopped, before["broken"].get(str(w))) for w in workloads]
    found += _of_others(pods, {str(w) for w in workloads}, before["others"])
    wrong = [one for one in found if one.ready < one.expected and one.owner not in platform.ignore_workloads]
    return [Incomplete(one.owner, one.ready, one.expected, _reasons(one.owner, pods)) for one in wrong]


def _of_workload(workload: Workload, stopped: int, had: int | None) -> Incomplete:
    desired = workload.desired - (stopped if workload.kind == "DaemonSet" else 0)
    return Incomplete(str(workload), workload.ready, desired if had is None else min(desired, had))


def _controlled(kube: KubeApi) -> list[Pod]:
    return [pod for pod in kube.pods() if pod.controller and not pod.mirror]


def _of_others(pods: Iterable[Pod], workloads: set[str], before: dict[str, int] | None) -> list[Incomplete]:
    ready, all_of = dict[str, int](), dict[str, int]()
    for pod in pods:
        if pod.controller not in workloads and pod.owner not in PASSING and pod.phase not in OVER and not pod.deleting:
            all_of[pod.controller] = all_of.get(pod.controller, 0) + 1
            ready[pod.controller] = ready.get(pod.controller, 0) + pod.ready
    expected = all_of if before is None else before
    return [Incomplete(owner, ready.get(owner, 0), count) for owner, count in expected.items()]


def _reasons(owner: str, pods: Iterable[Pod]) -> tuple[str, ...]:
    return tuple(f"{pod}: {pod.reason}" for pod in pods if pod.controller == owner and not pod.ready and pod.reason)


@step("record ready workloads")
def ensure_ready_recorded(run: Run, platform: Platform, kube: KubeApi, record: Record) -> Outcome:
    """Make the record hold which workloads were incomplete before the move, and how many Ready pods other controllers had.

    Undo: none needed.
    """
    # probe
    if record.read(READY) is not None:
        return unchanged("recorded before")
    workloads = {str(workload): workload for workload in kube.workloads()}
    broken = {name: w.ready for name, w in workloads.items() if w.ready < w.desired and w.kind != "DaemonSet"}
    others = {one.owner: one.ready for one in _of_others(_controlled(kube), set(workloads), None)}
    what = f"{len(workloads)} workloads, {len(broken)} of them incomplete; {len(others)} other controllers"
    if run.dry_run:
        return planned(f"recorded: {what}")

    # act
    with run.acting(platform.name, "recording which workloads are Ready"):
        record.write(READY, {"broken": broken, "others": others})

    # verify
    return changed(f"recorded: {what}") if record.read(READY) is not None else unchanged("not recorded")
