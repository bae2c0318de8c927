"""A Deployment of one replica has a second one while its first moves, so that clients always get an answer."""

from __future__ import annotations

from collections.abc import Collection

from blocks.ports import KubeApi, Workload
from configs.platform import Platform
from tasks.engine.outcome import Outcome, changed, planned, unchanged
from tasks.engine.record import Record
from tasks.engine.run import Run
from tasks.engine.step import step
from tasks.engine.waiting import wait_until
from tasks.workloads.readiness import accepted_incomplete
from tasks.workloads.replicas import are_scaled_by_us, ensure_replicas_recorded, ensure_replicas_restored

SURGES = "surges"


def to_surge(platform: Platform, kube: KubeApi, sources: Collection[str]) -> list[Workload]:
    """Deployments whose only pod is on one of the sources, and of which two may run at once.

    One that may be incomplete is left as it is: its second replica would not become Ready either.
    """
    broken = accepted_incomplete(platform)
    return [
        workload
        for workload in kube.workloads()
        if workload.kind == "Deployment"
        and workload.desired == 1
        and not workload.recreate
        and f"{workload.namespace}/{workload.name}" not in platform.drain.no_surge
        and str(workload) not in broken
        and any(pod.node in sources for pod in kube.pods_of(workload))
    ]


def surged(kube: KubeApi, record: Record) -> list[Workload]:
    """Workloads with a second replica that we made and must take away again, also in a run that was killed."""
    unrestored = {f"Deployment {name}" for name, kept in record.below(SURGES).items() if not kept["back"]}
    return [workload for workload in kube.workloads() if str(workload) in unrestored]


@step("surge")
def ensure_surged(run: Run, workload: Workload, platform: Platform, kube: KubeApi, record: Record) -> Outcome:
    """Make two replicas be Ready; that it was one is recorded first.

    Undo: `ensure_surge_ended`.
    """
    # probe
    present = _find(kube, workload)
    if are_scaled_by_us(record, _key(workload)) and present.desired > 1 and present.ready > 1:
        return unchanged("two replicas are Ready")
    if run.dry_run:
        return planned("a second replica is made, and awaited")

    # act
    with run.acting(str(workload), "making a second replica"):
        ensure_replicas_recorded(record, _key(workload), present)
        kube.scale(workload, 2)

    # verify
    wait_until(
        f"two replicas of {workload} are Ready",
        lambda: _find(kube, workload).ready > 1,
        timeout_s=platform.timeouts.pod_ready_s,
        id="surge-not-ready",
    )
    return changed("two replicas are Ready")


@step("end surge")
def ensure_surge_ended(run: Run, workload: Workload, platform: Platform, kube: KubeApi, record: Record) -> Outcome:
    """Make the Deployment have as many Ready replicas as before it was surged; see `ensure_replicas_restored`.

    Undo: none needed.
    """
    timeout_s = platform.timeouts.pod_ready_s
    return ensure_replicas_restored(
        run, record, _key(workload), lambda: _find(kube, workload), kube, timeout_s=timeout_s
    )


def _find(kube: KubeApi, workload: Workload) -> Workload:
    return next((found for found in kube.workloads() if str(found) == str(workload)), workload)


def _key(workload: Workload) -> str:
    return f"{SURGES}/{workload.namespace}/{workload.name}"
