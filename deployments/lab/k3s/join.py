"""How an agent becomes a node: the CA that its token vouches for, then a certificate for the node's name."""

import base64
import secrets
import time
from pathlib import Path
from typing import Any

from . import certificates, journal, node_password, paths
from .api import ApiError, KubeApi
from .errors import StartError, UnreachableError
from .node import Node
from .tokens import Token, ca_hash

_CSRS = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
_SIGNED_WITHIN_S = 60


def fetch_ca(server_url: str, address: str, token: Token, ca_file: Path) -> None:
    """Make `ca_file` the CA that the server shows, if it is the one the token was made for."""
    try:
        pem = certificates.served_ca(address)
    except StartError as error:
        raise UnreachableError(f"failed to get CA certs from {server_url}: {error}") from error
    if token.ca_hash and ca_hash(pem) != token.ca_hash:
        raise StartError(
            "token CA hash does not match the Cluster CA certificate hash: this token is another cluster's"
        )
    paths.write(ca_file, pem, 0o644)


def ensure_identity(node: Node, token: Token) -> None:
    """Make this machine hold a certificate for its node; a wrong token or a name that is taken is refused."""
    api = KubeApi(node.api_url, node.ca_file, bearer=token.password)
    try:
        api.get("/api")
        node_password.check(api, node.options.node_name)
        if not certificates.is_issued_to(node.pair, node.ca_file, node.subject.name):
            journal.info(f"Requesting a certificate for {node.subject.name}")
            paths.write(node.pair.cert, _signed(api, node), 0o644)
    except ApiError as error:
        if error.status == 401:
            raise StartError("not authorized: the server does not know this token (K3S_TOKEN)") from error
        raise UnreachableError(f"the server can't take a node yet: {error}") from error


def _signed(api: KubeApi, node: Node) -> str:
    pem = certificates.request(node.pair.key, node.subject)
    name = f"node-{node.options.node_name}-{secrets.token_hex(4)}"
    api.post(_CSRS, _request(name, pem))
    deadline = time.monotonic() + _SIGNED_WITHIN_S
    while time.monotonic() < deadline:
        signed = api.get(f"{_CSRS}/{name}").get("status", {}).get("certificate")
        if signed:
            return base64.b64decode(signed).decode()
        time.sleep(0.3)
    raise UnreachableError(f"no controller-manager signed {name} within {_SIGNED_WITHIN_S} s")


def _request(name: str, pem: str) -> dict[str, Any]:
    return {
        "metadata": {"name": name},
        "spec": {
            "request": base64.b64encode(pem.encode()).decode(),
            "signerName": "kubernetes.io/kube-apiserver-client-kubelet",
            "usages": ["digital signature", "key encipherment", "client auth"],
        },
    }
