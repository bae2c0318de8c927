"""A server machine's Kubernetes API, asked from this box with the machine's own kubeconfig.

Not through kubectl on the machine: while nine machines boot, a hundred starts of kubectl would delay them.
"""

from __future__ import annotations

import base64
import http.client
import json
import re
import ssl
import tempfile
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

from deployments.lab import cache
from deployments.lab.machines import API_PORT, Machine

KUBECONFIG = "merged/etc/rancher/k3s/k3s.yaml"
KINDS = {
    "Node": "/api/v1/nodes",
    "Pod": "/api/v1/pods",
    "Deployment": "/apis/apps/v1/deployments",
    "DaemonSet": "/apis/apps/v1/daemonsets",
    "StatefulSet": "/apis/apps/v1/statefulsets",
}


def objects(machine: Machine, kinds: Iterable[str] = tuple(KINDS), *, address: str = "") -> dict[str, list[dict[str, Any]]]:
    """Nodes and workloads by kind, from this machine, or from whatever server has the address; nothing while it does not answer."""
    try:
        context = _context((cache.disk(machine) / KUBECONFIG).read_text())
        connection = http.client.HTTPSConnection(address or machine.address, API_PORT, timeout=5, context=context)
        with closing(connection):
            return {kind: _list(connection, KINDS[kind]) for kind in kinds}
    except (OSError, http.client.HTTPException, ValueError, KeyError):
        return {}


def _list(connection: http.client.HTTPSConnection, path: str) -> list[dict[str, Any]]:
    connection.request("GET", path)
    return list(json.loads(connection.getresponse().read())["items"] or [])


def _context(kubeconfig: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=_data(kubeconfig, "certificate-authority-data"))
    with tempfile.TemporaryDirectory() as folder:
        # The ssl module reads a client's key from a file only; only we can read this folder, and it is removed at once.
        pair = Path(folder) / "pair.pem"
        pair.touch(0o600)
        pair.write_text(_data(kubeconfig, "client-certificate-data") + _data(kubeconfig, "client-key-data"))
        context.load_cert_chain(pair)
    return context


def _data(kubeconfig: str, name: str) -> str:
    found = re.search(rf"{name}: *(\S+)", kubeconfig)
    if not found:
        raise ValueError(f"the kubeconfig has no {name}")
    return base64.b64decode(found.group(1)).decode() + "\n"
