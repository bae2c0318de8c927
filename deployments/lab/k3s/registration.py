"""The node object: seen to exist, marked as ours, and made again when somebody deletes it under a running k3s."""

import threading
import time
from typing import Any

from . import docker, journal, node_password
from .api import ApiError, KubeApi
from .errors import UnreachableError
from .processes import Supervisor

_LOOK_EVERY_S = 10
_SERVER_LABELS = {"node-role.kubernetes.io/control-plane": "true", "node-role.kubernetes.io/master": "true"}


class Registration:
    """One machine's node object, and what k3s itself writes on it."""

    def __init__(self, api: KubeApi, name: str, annotations: dict[str, str], *, is_server: bool) -> None:
        self._api = api
        self._path = f"/api/v1/nodes/{name}"
        self._name = name
        self._metadata = {
            "annotations": {node_password.ANNOTATION: node_password.own_hash(name), **annotations},
            "labels": _SERVER_LABELS if is_server else {},
        }
        self._pod_network = docker.pod_network()

    def ensure_marked(self) -> bool:
        """Write what is ours on the node. False if there is no such node yet, or nobody to ask."""
        try:
            return self._mark(self._api.get(self._path))
        except (ApiError, UnreachableError):
            return False

    def keep(self, supervisor: Supervisor) -> None:
        """From now on a deleted node comes back: a kubelet registers when it starts, and only then."""
        threading.Thread(target=self._keep, args=(supervisor,), daemon=True).start()

    def _keep(self, supervisor: Supervisor) -> None:
        while True:
            time.sleep(_LOOK_EVERY_S)
            try:
                node = self._api.get(self._path)
                if "deletionTimestamp" not in node["metadata"]:
                    self._mark(node)
            except UnreachableError:
                continue
            except ApiError as error:
                if error.status == 404:
                    journal.warning(f"node {self._name} is gone; restarting the kubelet so that it registers again")
                    supervisor.restart("kubelet")

    def _mark(self, node: dict[str, Any]) -> bool:
        known = node["metadata"]
        missing: dict[str, Any] = {
            kind: wanted for kind, wanted in self._metadata.items() if not wanted.items() <= known.get(kind, {}).items()
        }
        if missing:
            self._api.patch(self._path, {"metadata": missing})
        return bool(node["spec"].get("podCIDR")) or self._announce_pod_network()

    def _announce_pod_network(self) -> bool:
        """A kubelet that sees its pod network reports at once whether it is Ready, else ten seconds later.

        So it gets to see it when it is ready: its last step is to make its CSINode object.
        """
        if not self._pod_network:
            return True
        if not self._api.answers(f"/apis/storage.k8s.io/v1/csinodes/{self._name}"):
            return False
        spec = {"podCIDR": self._pod_network, "podCIDRs": [self._pod_network]}
        self._api.patch(self._path, {"spec": spec})
        return True
