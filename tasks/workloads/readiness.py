"""Whether all workloads are complete, before the move and after it."""

from __future__ import annotations

from dataclasses import dataclass

from blocks.errors import DeadlineExceededError
from blocks.ports import KubeApi, Workload
from configs.platform import Platform
from tasks.engine.check import check
from tasks.engine.finding import Checked, Findings
from tasks.engine.record import Record
from tasks.engine.waiting import wait_until
from tasks.images.record import NEW


@dataclass(frozen=True)
class Incomplete:
    """A workload that lacks replicas; `reasons` are its pods that are not Ready, each with the reason."""

    workload: Workload
    reasons: tuple[str, ...]

    @property
    def what(self) -> str:
        """How far it is, and why no further."""
        return "; ".join((f"{self.workload.ready} of {self.workload.desired} ready", *self.reasons))

    def __str__(self) -> str:
        return f"{self.workload}: {self.what}"


def unready(kube: KubeApi) -> list[Incomplete]:
    """Workloads that lack replicas, each with the reasons of its pods' not being Ready."""
    lacking = [workload for workload in kube.workloads() if workload.ready < workload.desired]
    if not lacking:
        return []
    # A DaemonSet is desired on every node, also on one that has just been stopped and is not deleted yet.
    stopped = sum(not node.ready for node in kube.nodes())
    lacking = [w for w in lacking if w.ready < w.desired - (stopped if w.kind == "DaemonSet" else 0)]
    reasons = {str(pod): pod.reason for pod in kube.pods() if not pod.ready and pod.reason}
    return [Incomplete(workload, _reasons_of(workload, reasons)) for workload in lacking]


def accepted_incomplete(platform: Platform) -> set[str]:
    """Workloads that the config accepts to be incomplete: nothing waits for their replicas."""
    return {one.where for one in platform.accepted if one.id == "workload-incomplete"}


def awaited(platform: Platform, kube: KubeApi) -> list[Incomplete]:
    """Workloads that lack replicas and must not, by the config."""
    accepted = accepted_incomplete(platform)
    return [lacking for lacking in unready(kube) if str(lacking.workload) not in accepted]


@check("check workloads")
def check_workloads(platform: Platform, kube: KubeApi) -> Checked:
    """Every workload is complete before the move: otherwise nobody could say afterwards what the move broke."""
    found = Findings("cluster")
    _judge_replicas(found, platform, kube)
    total = len(kube.workloads())
    return found.checked(f"{total - len(found.found)} of {total} workloads are complete")


@check("verify workloads", after_acts=True)
def verify_workloads(platform: Platform, kube: KubeApi, record: Record) -> Checked:
    """Every recorded workload is there, complete, with the images that were recorded."""
    found = Findings("cluster")
    _judge_replicas(found, platform, kube)
    before: dict[str, dict[str, str]] = (record.read(NEW) or {"workloads": {}})["workloads"]
    after = {str(workload): workload.images for workload in kube.workloads()}
    for name in sorted(before.keys() - after.keys()):
        found.refuse(
            "workload-missing",
            "was recorded before the move, is gone from the cluster",
            "kubectl get all -A; apply its manifest again, then run the same command again",
            where=name,
        )
    for name in sorted(before.keys() & after.keys()):
        if after[name] != before[name]:
            images = f"images are {_written(after[name])}, recorded before the move: {_written(before[name])}"
            found.note("workload-images-changed", images, where=name)
    return found.checked(f"{len(after)} workloads checked, {len(before)} on record")


def _judge_replicas(found: Findings, platform: Platform, kube: KubeApi) -> None:
    """Refuse every workload that is incomplete when `pod_ready_s` has passed, or earlier where only accepted ones are."""
    accepted, lacking = accepted_incomplete(platform), list[Incomplete]()

    def complete() -> bool:
        lacking[:] = unready(kube)
        return all(str(one.workload) in accepted for one in lacking)

    try:
        wait_until(
            "all workloads are complete",
            complete,
            timeout_s=platform.timeouts.pod_ready_s,
            still=lambda: "; ".join(map(str, lacking)),
        )
    except DeadlineExceededError:
        lacking[:] = unready(kube)  # the last answer may be of long ago, if the API does not answer
    for one in lacking:
        workload = one.workload
        remedy = f"kubectl describe {workload.kind.lower()} -n {workload.namespace} {workload.name}"
        found.refuse("workload-incomplete", one.what, remedy, where=str(workload))


def _reasons_of(workload: Workload, reasons: dict[str, str]) -> tuple[str, ...]:
    start = f"{workload.namespace}/{workload.name}-"
    return tuple(f"{pod}: {reason}" for pod, reason in reasons.items() if pod.startswith(start))


def _written(images: dict[str, str]) -> str:
    return ", ".join(f"{container}={image}" for container, image in images.items())
