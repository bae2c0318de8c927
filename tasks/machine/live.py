"""Which machines the live platform consists of, asked of itself: the guard that keeps them from being uninstalled."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from blocks.ports import EtcdApi, Host, KubeApi
from tasks.machine.facts import HostFacts


@dataclass(frozen=True)
class LivePlatform:
    """Addresses of the live etcd's members and of the live cluster's nodes, and what names the two."""

    etcd_addresses: frozenset[str]
    node_addresses: frozenset[str]
    ca_sha256: str
    etcd_cluster_id: int

    def why_live(self, host: Host, facts: HostFacts) -> str | None:
        """Why a machine belongs to the live platform; None when it does not. Judged from the world, never from the record.

        A machine may be known to the platform by another of its addresses than the config has.
        """
        own = {str(host.address), *(address for address in facts.addresses if not address.startswith("127."))}
        for addresses, what in ((self.etcd_addresses, "a member of its etcd"), (self.node_addresses, "a node of its cluster")):
            if found := sorted(own & addresses):
                return what if str(host.address) in found else f"{what}, as {found[0]}"
        if facts.etcd_cluster == str(self.etcd_cluster_id):
            return "the etcd that answers there has its cluster id"
        if self.ca_sha256 in facts.k3s_cas:
            return "its k3s has the live cluster's CA"
        return None


def read_live_platform(etcd: EtcdApi, kube: KubeApi, ca_sha256: str) -> LivePlatform:
    """The live platform as it is at this moment; read it again after a change."""
    urls = [url for member in etcd.members() for url in member.peer_urls]
    return LivePlatform(
        etcd_addresses=frozenset(urlsplit(url).hostname or url for url in urls),
        node_addresses=frozenset(node.address for node in kube.nodes()),
        ca_sha256=ca_sha256,
        etcd_cluster_id=etcd.cluster_id(),
    )
