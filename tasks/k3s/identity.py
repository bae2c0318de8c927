"""Access to the live cluster, read from one of its servers: administrator's credentials and the join token."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pydantic import SecretStr

from blocks.errors import HostError, HostUnreachableError, RefusedError
from blocks.kube_credentials import KubeCredentials, parse_kubeconfig
from blocks.ports import Host
from configs.hosts import Machine
from tasks.shell.script import facts, parse_facts

QUESTION = facts(
    {
        "uid": "id -u",
        "active": "systemctl is-active k3s",
        "kubeconfig": "cat /etc/rancher/k3s/k3s.yaml",
        "token": "cat /var/lib/rancher/k3s/server/token",
    }
)
TOKEN = re.compile(r"K10([0-9a-f]{64})::server:\S+")


@dataclass(frozen=True)
class ClusterAccess:
    """Kept in memory only. With an external datastore all servers need the first one's token (k3s-io/k3s#3888)."""

    server: str
    """Name of the machine that it was read from: a live server."""
    credentials: KubeCredentials
    token: SecretStr


def find_cluster_access(
    candidates: Iterable[Machine], hosts: Mapping[str, Host], ca_sha256: str | None
) -> ClusterAccess:
    """Access from the first candidate that runs a server of the live cluster, the one with CA `ca_sha256` once that is known.

    Raises RefusedError when none does, with the reason of each.
    """
    reasons = []
    for machine in candidates:
        try:
            said = parse_facts(hosts[machine.name].run(QUESTION, what="reading the kubeconfig").stdout)
        except HostUnreachableError as error:
            reasons.append(error.message)
            continue
        if said["uid"] != "0":
            reasons.append(f"{machine.name}: logged in as uid {said['uid']}: set ssh.user to root")
            continue
        if said["active"] != "active":
            reasons.append(f"{machine.name}: k3s is {said['active'] or 'not installed'}")
            continue
        found = parse_kubeconfig(machine.name, said["kubeconfig"])
        if ca_sha256 in (None, found.ca_sha256):
            return ClusterAccess(machine.name, found, parse_token(machine.name, said["token"], found.ca_sha256))
        reasons.append(f"{machine.name}: its k3s belongs to another cluster")
    raise RefusedError(
        "cluster: no server of the live cluster answers: " + "; ".join(reasons), id="cluster-no-live-server"
    )


def parse_token(host: str, text: str, ca_sha256: str) -> SecretStr:
    """The join token. Raises HostError, without any part of it, when it is malformed or belongs to another cluster."""
    token = TOKEN.fullmatch(text.strip())
    if token is None:
        raise HostError(
            f"{host}: /var/lib/rancher/k3s/server/token does not hold a token of the form K10...::server:...: "
            "stat it there; k3s writes it when a server starts",
            id="k3s-token-malformed",
        )
    if token[1] != ca_sha256:
        raise HostError(
            f"{host}: its server token and its k3s.yaml belong to different clusters: "
            "k3s kubectl get nodes there; systemctl restart k3s writes k3s.yaml again",
            id="k3s-token-foreign",
        )
    return SecretStr(text.strip())
