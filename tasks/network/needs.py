"""What must get through a target's firewall, by its parts in the platform. Pure.

https://docs.k3s.io/installation/requirements, "Inbound Rules for K3s Nodes" and "firewalld"; GlusterFS 10 puts its bricks on any of
the last ports, older versions on the first of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from blocks.errors import RefusedError
from blocks.ports import KubeApi
from configs.hosts import Role, Target
from configs.platform import Platform
from tasks.k3s.flags import pairs
from tasks.k3s.identity import ClusterAccess
from tasks.k3s.server_args import server_args

Ports = tuple[int, int, str]
"""First, last, and tcp or udp."""

KUBELET = 10250
GLUSTER: tuple[Ports, ...] = ((24007, 24007, "tcp"), (49152, 60999, "tcp"))
BACKENDS: dict[str, tuple[Ports, ...]] = {
    "vxlan": ((8472, 8472, "udp"),),
    "udp": ((8285, 8285, "udp"),),
    "wireguard": ((51820, 51821, "udp"),),
    "wireguard-native": ((51820, 51821, "udp"),),
    "ipsec": ((500, 500, "udp"), (4500, 4500, "udp")),
}
"""By flannel's backend; host-gw and none need no port."""
NETWORKS = {"--cluster-cidr": "10.42.0.0/16", "--service-cidr": "10.43.0.0/16"}
"""Of pods and of Services, with k3s's defaults."""
IPVS = "proxy-mode=ipvs"


@dataclass(frozen=True)
class Needs:
    """What a target must be reached by."""

    ports: tuple[Ports, ...]
    protocols: tuple[str, ...]
    networks: tuple[str, ...]
    """Whatever comes from pods: it is routed on the node, or for the node itself."""

    def __str__(self) -> str:
        return ", ".join((*map(port_text, self.ports), *(f"protocol {name}" for name in self.protocols), *self.networks))


def port_text(ports: Ports) -> str:
    """As firewalld writes it."""
    first, last, kind = ports
    return f"{first}/{kind}" if first == last else f"{first}-{last}/{kind}"


def read_needs(platform: Platform, kube: KubeApi, access: ClusterAccess) -> dict[str, Needs]:
    """By target. Where no running server says its flags, which another check refuses, k3s's defaults are taken."""
    try:
        args = server_args(platform, kube.nodes(), access)
    except RefusedError:
        args = ()
    return {target.name: needs_of(platform, target, args, kube) for target in platform.targets}


def needs_of(platform: Platform, target: Target, args: Iterable[str], kube: KubeApi) -> Needs:
    """`args` are those of new servers, by which a cluster's networks are known."""
    flags = list(pairs(args))
    own = [value for _, value in flags] if target.role is Role.SERVER else list(platform.k3s.agent_args)
    proxied = any(IPVS in word for word in (*own, *target.args))
    ports = sorted(set(_ports(platform, target, dict(flags))) | (set(_node_ports(kube)) if proxied else set()))
    return Needs(
        ports=tuple(ports),
        protocols=("vrrp",) if target in platform.vip_holders else (),
        networks=tuple(dict(flags).get(name, default) for name, default in NETWORKS.items()),
    )


def _ports(platform: Platform, target: Target, flags: dict[str, str]) -> Iterator[Ports]:
    if target.etcd:
        first, last = sorted((platform.etcd.client_port, platform.etcd.peer_port))
        yield from [(first, last, "tcp")] if last == first + 1 else [(first, first, "tcp"), (last, last, "tcp")]
    if target.role is Role.SERVER:
        yield platform.k3s.api_port, platform.k3s.api_port, "tcp"
    yield KUBELET, KUBELET, "tcp"
    yield from BACKENDS.get(flags.get("--flannel-backend", "vxlan"), ())
    if platform.backup.lake.move:
        yield from GLUSTER


def _node_ports(kube: KubeApi) -> Iterator[Ports]:
    """IPVS serves them as the machine's own ports; kube-proxy's iptables send their packets on, past the zone's ports."""
    for service in kube.listed("Service"):
        for port in service.get("spec", {}).get("ports", ()):
            if number := port.get("nodePort"):
                yield number, number, str(port.get("protocol", "TCP")).lower()
