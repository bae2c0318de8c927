"""What joining machines and nodes may do, as RBAC objects that every server makes sure of when it starts."""

from typing import Any

from .api import ApiError, KubeApi

_GROUP = "/apis/rbac.authorization.k8s.io/v1"
JOIN_GROUP = "k3s:agent"
_NODES = "system:nodes"


def join_tokens(password: str) -> str:
    """The API server's token file: whoever knows the join password is a machine that may ask for a node's identity."""
    return f'{password},node,node,"{JOIN_GROUP}"\n'


def ensure(api: KubeApi) -> None:
    """Make the roles and bindings exist."""
    reads_nodes = {"apiGroups": [""], "resources": ["nodes"], "verbs": ["get"]}
    _create(api, "clusterroles", {"metadata": {"name": "k3s:agent-join"}, "rules": [reads_nodes]})
    approved = "system:certificates.k8s.io:certificatesigningrequests:nodeclient"
    for name, role, group in (
        ("k3s:agent-join", "k3s:agent-join", JOIN_GROUP),
        ("k3s:agent-requests", "system:node-bootstrapper", JOIN_GROUP),
        ("k3s:agent-approved", approved, JOIN_GROUP),
        # kube-proxy and the load balancer use the node's own certificate.
        ("k3s:node-proxier", "system:node-proxier", _NODES),
    ):
        _create(api, "clusterrolebindings", _binding(name, role, group))


def _binding(name: str, role: str, group: str) -> dict[str, Any]:
    return {
        "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": group}],
    }


def _create(api: KubeApi, resource: str, body: dict[str, Any]) -> None:
    try:
        api.post(f"{_GROUP}/{resource}", body)
    except ApiError as error:
        if error.status != 409:  # another server made it
            raise
