"""A node's name belongs to the machine that took it first, until the node is deleted.

The real k3s keeps the proof in a secret; here its hash is an annotation of the node itself, so it goes with the node.
The machine's half survives an uninstall, as the real one does.
"""

import hashlib

from . import paths, tokens
from .api import ApiError, KubeApi
from .errors import StartError

ANNOTATION = "k3s.io/node-password-hash"


def own_hash(node_name: str) -> str:
    """The hash of this machine's password for `node_name`; the first call makes the password."""
    if not paths.NODE_PASSWORD.exists():
        paths.write(paths.NODE_PASSWORD, tokens.random_password() + "\n")
    password = paths.NODE_PASSWORD.read_text().strip()
    return hashlib.sha256(f"{node_name}:{password}".encode()).hexdigest()


def check(api: KubeApi, node_name: str) -> None:
    """Refuse a name that another machine's node bears."""
    try:
        node = api.get(f"/api/v1/nodes/{node_name}")
    except ApiError as error:
        if error.status == 404:
            return
        raise
    known = node["metadata"].get("annotations", {}).get(ANNOTATION)
    if known and known != own_hash(node_name):
        raise StartError(
            f"Node password rejected, duplicate hostname or contents of '{paths.NODE_PASSWORD}' may not match the "
            f"cluster's node {node_name}: choose another --node-name, or delete that node first"
        )
