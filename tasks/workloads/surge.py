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
from tasks.workloads.replicas import are_scaled_by_us, ensure_replicas_recorded, ensure_replicas_restored
from tasks.workloads.singles import singles

SURGES = "surges"


def to_surge(platform: Platform, kube: KubeApi, sources: Collection[str]) -> list[Workload]:
    """Deployments whose only pod is on one of the sources, and of which two may run at once."""
    return [one.workload for one in singles(platform, kube, sources) if not one.why_not]


def surged(kube: KubeApi, record: Record) -> list[Workload]:
    """Workloads with a second replica that we made and must take away again, also in a run that was killed."""
    unrestored = {f"Deployment {name}" for name, kept in record.below(SURGES).items() if not kept["back"]}
    return [workload for workload in kube.workloads() if str(workload) in unrestored]


@step("surge")
def ensure_surged(run: Run, workload: Workload, platform: Platform, kube: KubeApi, record: Record) -> Outcome:
    """Make two replicas be Ready; that it was one is recorded first.

    Undo: the step `end surge`.
    """
    # probe
    present = _find(kube, workload)
    if are_scaled_by_us(record, _key(workload)) and present.desired > 1 and present.ready > 1:
        return unchanged("two replicas are Ready")
    if run.dry_run:
        return planned(f"a second replica is made, and awaited, unless drain.no_surge lists {_name(workload)}")

    # act
    with run.acting(str(workload), "making a second replica"):
        ensure_replicas_recorded(record, _key(workload), present)
        kube.scale(workload, 2)

    # verify
    wait_until(
        f"two replicas of {workload} are Ready",
        lambda: _find(kube, workload).ready > 1,
        timeout_s=platform.timeouts.pod_ready_s,
        still=lambda: f"{_reasons(kube, workload)}if it can't run twice, list {_name(workload)} in drain.no_surge",
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


def _reasons(kube: KubeApi, workload: Workload) -> str:
    """Why its pods are not Ready, before what comes next."""
    return "".join(f"{pod}: {pod.reason}: " for pod in kube.pods_of(workload) if not pod.ready and pod.reason)


def _name(workload: Workload) -> str:
    """As the config lists it."""
    return f"{workload.namespace}/{workload.name}"


def _key(workload: Workload) -> str:
    return f"{SURGES}/{_name(workload)}"
