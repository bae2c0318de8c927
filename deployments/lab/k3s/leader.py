"""One of all servers leads: it puts k3s's finalizer on nodes, and takes it off those that are being deleted.

The lock is the ConfigMap kube-system/k3s with the usual annotation, for 45 s; a server that stops does not give it back,
so a node that is deleted together with the leader's k3s stays until another server may lead (seen on v1.20.8).
"""

import json
import threading
import time
from datetime import UTC, datetime
from typing import Any

from . import journal
from .api import ApiError, KubeApi
from .errors import UnreachableError

LEASE_S = 45
RENEW_S = 2
FINALIZER = "wrangler.cattle.io/node"
ANNOTATION = "control-plane.alpha.kubernetes.io/leader"
_MAPS = "/api/v1/namespaces/kube-system/configmaps"
_LOCK = f"{_MAPS}/k3s"


class Leader:
    """One server's part in the election, and its work while it leads."""

    def __init__(self, api: KubeApi, name: str) -> None:
        self._api, self._name = api, name
        self._seen, self._seen_at = "", 0.0

    def keep(self) -> None:
        """Run for the lock from now on."""
        threading.Thread(target=self._keep, daemon=True).start()

    def _keep(self) -> None:
        while True:
            try:
                if self.leads(time.monotonic()):
                    self.tend_nodes()
            except (ApiError, UnreachableError) as error:
                journal.warning(f"leader election: {error}")
            time.sleep(RENEW_S)

    def leads(self, now: float) -> bool:
        """Whether the lock is ours, renewed by this call. Another's counts as held until it was not renewed for 45 s."""
        try:
            found = self._api.get(_LOCK)
        except ApiError as error:
            if error.status != 404:
                raise
            self._api.post(_MAPS, {"metadata": {"name": "k3s", "annotations": self._record()}})
            return True
        text = found["metadata"].get("annotations", {}).get(ANNOTATION, "")
        if text != self._seen:
            self._seen, self._seen_at = text, now
        holder = json.loads(text or "{}").get("holderIdentity")
        if holder not in (None, "", self._name) and now - self._seen_at < LEASE_S:
            return False
        # With the version that was read: of two that find it expired, one wins.
        version = found["metadata"]["resourceVersion"]
        self._api.patch(_LOCK, {"metadata": {"resourceVersion": version, "annotations": self._record()}})
        return True

    def tend_nodes(self) -> None:
        """Every node has the finalizer, but for those that are being deleted: these go."""
        for node in self._api.get("/api/v1/nodes")["items"]:
            meta: dict[str, Any] = node["metadata"]
            finalizers = meta.get("finalizers", [])
            deleted = "deletionTimestamp" in meta
            if deleted == (FINALIZER in finalizers):
                wanted = [f for f in finalizers if f != FINALIZER] + ([] if deleted else [FINALIZER])
                self._api.patch(f"/api/v1/nodes/{meta['name']}", {"metadata": {"finalizers": wanted}})

    def _record(self) -> dict[str, str]:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        return {ANNOTATION: json.dumps({"holderIdentity": self._name, "leaseDurationSeconds": LEASE_S, "renewTime": now})}
