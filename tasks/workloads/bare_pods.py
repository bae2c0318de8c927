"""Pods that no controller would bring back: kept in the record before their eviction, made anew after it."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

from blocks.ports import KubeApi, Pod
from configs.platform import Platform
from tasks.engine.outcome import Outcome, changed, planned, unchanged
from tasks.engine.record import PRIVATE, Record
from tasks.engine.run import Run
from tasks.engine.step import step
from tasks.engine.waiting import wait_until

log = logging.getLogger(__name__)
BARE = f"{PRIVATE}/bare-pods"  # a manifest may hold a password of the pod's
READY_S = 120


@step("restore bare pods")
def ensure_bare_restored(run: Run, platform: Platform, kube: KubeApi, record: Record) -> Outcome:
    """Make every bare pod run again that a killed drain has evicted, from the record of its migration.

    Undo: none needed; the platform had these pods.
    """
    # probe
    missing = ", ".join(unrestored_bare(record))
    if not missing:
        return unchanged("no bare pod is missing")
    if run.dry_run:
        return planned(f"made anew: {missing}")

    # act
    with run.acting(platform.name, f"making bare pods anew: {missing}"):
        restore_bare(kube, record)

    # verify: each was awaited, Ready, before the record says so
    return changed(f"made anew: {missing}")


def keep_bare(kube: KubeApi, record: Record, pods: Iterable[Pod]) -> None:
    """Write down the manifests of those that are bare: once evicted, a pod can't be asked any more."""
    for pod in pods:
        if pod.owner is None and not pod.deleting:
            manifest = kube.pod_manifest(pod.namespace, pod.name)
            if manifest is not None:
                record.write(f"{BARE}/{pod}", {"manifest": without_identity(manifest), "restored": False})


def unrestored_bare(record: Record) -> dict[str, dict[str, Any]]:
    """Those that were evicted and not made anew yet. Once they were, deleting them is the operator's business."""
    return {name: kept["manifest"] for name, kept in record.below(BARE).items() if not kept["restored"]}


def restore_bare(kube: KubeApi, record: Record) -> None:
    """Make every one that is kept run again, Ready. Raises DeadlineExceededError.

    One that is still terminating keeps its name until it has gone.
    """
    missing = unrestored_bare(record)

    def all_ready() -> bool:
        present = {str(pod): pod for pod in kube.pods()}
        for name in missing.keys() - present.keys():
            log.info("%s: making the bare pod anew", name)
            kube.create_pod(missing[name])
        return missing.keys() <= {name for name, pod in present.items() if pod.ready and not pod.deleting}

    wait_until(f"{', '.join(missing)} made anew: Ready", all_ready, timeout_s=READY_S, id="bare-pod-not-ready")
    for name in missing:
        record.write(f"{BARE}/{name}", {"restored": True})


def without_identity(manifest: dict[str, Any]) -> dict[str, Any]:
    """A pod's manifest without what belonged to that one pod: its node, identity, status and injected token volume."""
    meta, spec = manifest["metadata"], dict(manifest["spec"])
    for name in ("nodeName", "serviceAccount", "ephemeralContainers"):
        spec.pop(name, None)
    account = spec.get("serviceAccountName", "default")
    injected = {
        v["name"] for v in spec.get("volumes", ()) if v["name"].startswith((f"{account}-token-", "kube-api-access-"))
    }
    spec["volumes"] = [volume for volume in spec.get("volumes", ()) if volume["name"] not in injected]
    for kind in spec.keys() & {"containers", "initContainers"}:
        spec[kind] = [
            {**container, "volumeMounts": [m for m in container.get("volumeMounts", ()) if m["name"] not in injected]}
            for container in spec[kind]
        ]
    kept = {name: meta[name] for name in ("name", "namespace", "labels", "annotations") if name in meta}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": kept, "spec": spec}
