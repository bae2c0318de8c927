"""Which machines the live platform consists of, asked of itself: the guard that keeps them from being uninstalled."""

from __future__ import annotations

from dataclasses import dataclass

from blocks.ports import EtcdApi, Host, KubeApi
from tasks.machine.facts import HostFacts


@dataclass(frozen=True)
class LivePlatform:
    """Addresses of the live etcd's members and of the live cluster's nodes, and the cluster's CA."""

    etcd_addresses: frozenset[str]
    node_addresses: frozenset[str]
    ca_sha256: str

    def why_live(self, host: Host, facts: HostFacts) -> str | None:
        """Why a machine belongs to the live platform; None when it does not. Judged from the world, never from the record."""
        address = str(host.address)
        if address in self.etcd_addresses:
            return "a member of its etcd"
        if address in self.node_addresses:
            return "a node of its cluster"
        if facts.k3s_ca == self.ca_sha256:
            return "its k3s has the live cluster's token"
        return None


def read_live_platform(etcd: EtcdApi, kube: KubeApi, ca_sha256: str) -> LivePlatform:
    """The live platform as it is at this moment; read it again after a change."""
    return LivePlatform(
        etcd_addresses=frozenset(url.split("//")[1].rpartition(":")[0] for m in etcd.members() for url in m.peer_urls),
        node_addresses=frozenset(node.address for node in kube.nodes()),
        ca_sha256=ca_sha256,
    )
