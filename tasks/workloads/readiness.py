"""Whether all workloads are complete, before the move and after it."""

from __future__ import annotations

from blocks.errors import DeadlineExceededError, VerificationError
from blocks.ports import KubeApi
from configs.platform import Platform
from tasks.engine.outcome import Outcome, planned, unchanged
from tasks.engine.record import Record
from tasks.engine.run import Run
from tasks.engine.step import step
from tasks.engine.waiting import wait_until
from tasks.images.record import NEW


def unready(kube: KubeApi) -> list[str]:
    """Workloads that lack replicas, each with the reasons of its pods' not being Ready."""
    lacking = [workload for workload in kube.workloads() if workload.ready < workload.desired]
    if not lacking:
        return []
    # A DaemonSet wants a pod on every node, also on one that has just been stopped and is not deleted yet.
    stopped = sum(not node.ready for node in kube.nodes())
    lacking = [w for w in lacking if w.ready < w.desired - (stopped if w.kind == "DaemonSet" else 0)]
    reasons = {str(pod): pod.reason for pod in kube.pods() if not pod.ready and pod.reason}
    return [
        f"{workload}: {workload.ready} of {workload.desired} ready"
        + "".join(
            f"; {pod}: {reason}"
            for pod, reason in reasons.items()
            if pod.startswith(f"{workload.namespace}/{workload.name}-")
        )
        for workload in lacking
    ]


@step("verify workloads")
def verify_workloads(run: Run, platform: Platform, kube: KubeApi, record: Record) -> Outcome:
    """Make sure that every workload of before is there, complete, with the images of before.

    Changes nothing. Undo: none needed.
    """
    # probe
    if run.dry_run:
        return planned("all workloads are complete, with the images of before")

    # act
    # verify
    try:
        wait_until("all workloads are complete", lambda: not unready(kube), timeout_s=platform.timeouts.pod_ready_s)
    except DeadlineExceededError as error:
        raise VerificationError("; ".join(unready(kube)) or str(error)) from error
    before = (record.read(NEW) or {"workloads": {}})["workloads"]
    after = {str(workload): workload.images for workload in kube.workloads()}
    gone = sorted(before.keys() - after.keys())
    if gone:
        raise VerificationError(f"workloads of before are missing: {', '.join(gone)}: kubectl get all -A")
    notes = tuple(
        f"{what} has other images than before: {after[what]}" for what in before if after[what] != before[what]
    )
    return unchanged(f"{len(after)} workloads complete", notes=notes)
