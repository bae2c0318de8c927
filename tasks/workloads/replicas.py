"""Replicas that are changed for a while: how many there were is recorded first, so that a killed run leaves it known."""

from __future__ import annotations

from collections.abc import Callable

from blocks.ports import KubeApi, Workload
from tasks.engine.outcome import Outcome, changed, planned, unchanged
from tasks.engine.record import Record
from tasks.engine.run import Run
from tasks.engine.waiting import wait_until


def are_scaled_by_us(record: Record, key: str) -> bool:
    """Whether this run or an earlier one changed the replicas and has not restored them yet."""
    kept = record.read(key)
    return kept is not None and not kept["back"]


def ensure_replicas_recorded(record: Record, key: str, workload: Workload) -> None:
    """Make the workload's replicas be recorded; what an earlier run recorded and did not restore stands."""
    if not are_scaled_by_us(record, key):
        record.write(key, {"replicas": workload.desired, "back": False})


def ensure_replicas_restored(
    run: Run, record: Record, key: str, find: Callable[[], Workload], kube: KubeApi, *, timeout_s: float
) -> Outcome:
    """Make the workload have as many replicas as were recorded, all Ready. Raises DeadlineExceededError."""
    # probe
    kept = record.read(key)
    if kept is None or kept["back"]:
        return unchanged("was never scaled" if kept is None else "has its replicas again")
    replicas = kept["replicas"]
    if run.dry_run:
        return planned(f"scaled to {replicas}")
    workload = find()

    # act
    with run.acting(str(workload), f"scaling to {replicas}", undoing=True):
        kube.scale(workload, replicas)

    # verify
    wait_until(
        f"{workload} has {replicas} Ready replicas",
        lambda: (found := find()).desired == found.ready == replicas,
        timeout_s=timeout_s,
        still=lambda: f"it has {find().ready}: kubectl get pods -n {workload.namespace} -o wide",
        id="replicas-not-restored",
    )
    record.write(key, {**kept, "back": True})
    return changed(f"scaled to {replicas}")
