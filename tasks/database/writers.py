"""Workloads that write to the database: stopped while it is restored, and never forgotten so."""

from __future__ import annotations

from blocks.errors import RefusedError
from blocks.ports import KubeApi, Workload
from configs.database import Writer
from configs.platform import Platform
from tasks.engine.check import check
from tasks.engine.finding import Checked, Findings
from tasks.engine.outcome import Outcome, changed, planned, unchanged
from tasks.engine.record import Record
from tasks.engine.run import Run
from tasks.engine.step import step
from tasks.engine.waiting import wait_until
from tasks.workloads.replicas import are_scaled_by_us, ensure_replicas_recorded, ensure_replicas_restored

WRITERS = "writers"
ENDED = ("Succeeded", "Failed")


@check("check writers")
def check_writers(platform: Platform, kube: KubeApi) -> Checked:
    """Every writer of the config is a workload of the cluster."""
    found, present = Findings("rollback.writers"), set(map(str, kube.workloads()))
    for writer in platform.rollback.writers:
        if str(writer) not in present:
            found.refuse("writer-missing", f"there is no {writer}", f"write what `kubectl get {writer.kind} -A` lists", final=True)
    return found.checked(f"{len(platform.rollback.writers)} writers")


@step("quiesce writer")
def ensure_quiesced(run: Run, writer: Writer, platform: Platform, kube: KubeApi, record: Record) -> Outcome:
    """Make the writer have no pod; how many it had is recorded first, so that a killed run does not forget it.

    Undo: the step `restore writer replicas`.
    """
    # probe
    workload = find_workload(kube, writer)
    if are_scaled_by_us(record, _key(writer)) and _stopped(kube, workload):
        return unchanged("has no pod")
    if run.dry_run:
        return planned(f"scaled from {workload.desired} to 0")

    # act
    with run.acting(str(writer), f"scaling from {workload.desired} to 0"):
        ensure_replicas_recorded(record, _key(writer), workload)
        kube.scale(workload, 0)

    # verify
    wait_until(
        f"{writer} has no pod",
        lambda: _stopped(kube, find_workload(kube, writer)),
        timeout_s=platform.timeouts.pod_ready_s,
        id="writer-pods-left",
    )
    return changed(f"scaled from {workload.desired} to 0")


@step("restore writer replicas")
def ensure_writer_restored(run: Run, writer: Writer, platform: Platform, kube: KubeApi, record: Record) -> Outcome:
    """Make the writer have as many Ready pods as it had before it was quiesced; see `ensure_replicas_restored`.

    Undo: none needed.
    """
    timeout_s = platform.timeouts.rollout_s
    return ensure_replicas_restored(run, record, _key(writer), lambda: find_workload(kube, writer), kube, timeout_s=timeout_s)


def scaled_writers(platform: Platform, record: Record) -> dict[Writer, int]:
    """The writers that were scaled to 0 and not restored yet, with the replicas that are recorded for them."""
    kept = {writer: record.read(_key(writer)) for writer in platform.rollback.writers}
    return {writer: facts["replicas"] for writer, facts in kept.items() if facts is not None and not facts["back"]}


def still_scaled(kube: KubeApi, platform: Platform, record: Record) -> list[Writer]:
    """Those of them whose replicas are not the recorded ones at this moment."""
    recorded = scaled_writers(platform, record).items()
    return [writer for writer, replicas in recorded if find_workload(kube, writer).desired != replicas]


def find_workload(kube: KubeApi, writer: Writer) -> Workload:
    """The writer as a workload. Raises RefusedError when there is none."""
    found = next((w for w in kube.workloads() if str(w) == str(writer)), None)
    if found is None:
        raise RefusedError(
            f"rollback.writers: there is no {writer}: write what `kubectl get {writer.kind} -A` lists", id="writer-missing"
        )
    return found


def _stopped(kube: KubeApi, workload: Workload) -> bool:
    # A pod in its grace period counts for no status any more, and still writes.
    return workload.desired == 0 and all(pod.phase in ENDED for pod in kube.pods_of(workload))


def _key(writer: Writer) -> str:
    return f"{WRITERS}/{writer.kind}/{writer.namespace}/{writer.name}"
