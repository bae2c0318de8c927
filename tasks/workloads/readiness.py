"""Whether all workloads are complete, before the move and after it."""

from __future__ import annotations

from blocks.errors import DeadlineExceededError
from blocks.ports import KubeApi
from configs.platform import Platform
from tasks.engine.check import check
from tasks.engine.finding import Checked, Findings
from tasks.engine.record import Record
from tasks.engine.waiting import wait_until
from tasks.images.record import NEW
from tasks.workloads.owners import READY, Incomplete, lacking


@check("check workloads")
def check_workloads(platform: Platform, kube: KubeApi, record: Record) -> Checked:
    """Every workload is complete before the move; what is broken then is reported, and need not heal.

    Once the move has begun, the record says what was broken before, and only that may be.
    """
    found = Findings("cluster")
    begun = record.read(READY) is not None
    incomplete = _settled(platform, kube, record)
    for one in incomplete:
        if begun:
            _refuse(found, one)
        else:
            found.warn(
                "workload-broken-before",
                f"{one.what}; after the move it has to have no more than that",
                f"{_describing(one)}; list it in ignore_workloads if nothing shall wait for it",
                where=one.owner,
            )
    return found.checked(f"{len(kube.workloads())} workloads, {len(incomplete)} incomplete")


@check("verify workloads", after_acts=True)
def verify_workloads(platform: Platform, kube: KubeApi, record: Record) -> Checked:
    """Every recorded workload is there, complete, with the images that were recorded."""
    found = Findings("cluster")
    for one in _settled(platform, kube, record):
        _refuse(found, one)
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


def _settled(platform: Platform, kube: KubeApi, record: Record) -> list[Incomplete]:
    """What is incomplete when `pod_ready_s` has passed; nothing as soon as all is complete."""
    last = list[Incomplete]()

    def complete() -> bool:
        last[:] = lacking(platform, kube, record)
        return not last

    try:
        wait_until(
            "all workloads are complete",
            complete,
            timeout_s=platform.timeouts.pod_ready_s,
            still=lambda: "; ".join(map(str, last)),
        )
    except DeadlineExceededError:
        return lacking(platform, kube, record)  # the last answer may be of long ago, if the API does not answer
    return []


def _refuse(found: Findings, one: Incomplete) -> None:
    found.refuse("workload-incomplete", one.what, f"{_describing(one)}; list it in ignore_workloads if it need not heal", where=one.owner)


def _describing(one: Incomplete) -> str:
    kind, _, name = one.owner.partition(" ")
    namespace, _, name = name.partition("/")
    return f"kubectl describe {kind.lower()} -n {namespace} {name}"


def _written(images: dict[str, str]) -> str:
    return ", ".join(f"{container}={image}" for container, image in images.items())
