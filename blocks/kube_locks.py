"""Locks of client-go's leader election, as ConfigMaps carry them: the holder renews an annotation, others take what expires."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from blocks.kube_servers import KubeServers, or_none
from blocks.ports import Manifest

ANNOTATION = "control-plane.alpha.kubernetes.io/leader"


def read(servers: KubeServers, namespace: str, name: str) -> Manifest | None:
    """The ConfigMap, None when there is none."""
    return or_none(lambda: servers.call("GET", _path(namespace, name)))


def holder(lock: Manifest | None) -> str:
    """Who holds it; "" when nobody does, or there is no such lock."""
    return str(_election(lock).get("holderIdentity") or "")


def release(servers: KubeServers, namespace: str, name: str, by: str) -> None:
    """Nobody holds what `by` held, by the fields that LeaderElector.release sets (client-go as k3s v1.20.8 vendors it); its
    times are left as they are: nobody reads them of a lock without a holder.

    Who takes it meanwhile keeps it; raises KubeUnavailableError then.
    """
    lock = read(servers, namespace, name)
    if lock is None or holder(lock) != by:
        return
    released = {**_election(lock), "holderIdentity": "", "leaseDurationSeconds": 1}
    meta = {"resourceVersion": lock["metadata"]["resourceVersion"], "annotations": {ANNOTATION: json.dumps(released)}}
    servers.call("PATCH", _path(namespace, name), {"metadata": meta})


def _election(lock: Manifest | None) -> dict[str, Any]:
    text = ((lock or {}).get("metadata", {}).get("annotations") or {}).get(ANNOTATION)
    found: dict[str, Any] = json.loads(text or "{}")
    return found


def _path(namespace: str, name: str) -> str:
    return f"/api/v1/namespaces/{quote(namespace)}/configmaps/{quote(name)}"
