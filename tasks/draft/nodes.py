"""Which nodes leave, which stay, and how each that leaves is probably reached."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address

from pydantic import ValidationError

from blocks.ports import Member, Node
from configs.hosts import Source
from configs.ssh import Login
from tasks.etcd.members import is_on, member_of

USUAL_PORTS = (22, 2222)

Knows = Callable[[str, int], bool]
"""Whether the known hosts have a key of this address and port."""


@dataclass(frozen=True)
class Nodes:
    """The cluster's nodes, and what is odd about them."""

    sources: tuple[Source, ...]
    kept: tuple[str, ...]
    remarks: tuple[str, ...]


def sort_nodes(nodes: Iterable[Node], servers: Collection[str], members: Collection[Member]) -> Nodes:
    """Servers and machines of members leave, for the datastore does; agents that are no member stay until a person says otherwise."""
    sources, kept, remarks = list[Source](), list[str](), list[str]()
    for node in nodes:
        try:
            source = Source(name=node.name, address=IPv4Address(node.address))
        except (ValidationError, ValueError):
            remarks.append(f"node {node.name} has the InternalIP {node.address or 'none'}, expected IPv4: it is left out here")
            continue
        if node.address in servers or node.args[:1] == ("server",) or member_of(members, source):
            sources.append(source)
        else:
            kept.append(node.name)
        if not node.ready:
            remarks.append(f"node {node.name} is not Ready; one that has died for good gets lost: true")
    return Nodes(tuple(sources), tuple(kept), (*remarks, *_strangers(sources, members)))


def _strangers(sources: list[Source], members: Collection[Member]) -> Iterator[str]:
    for source in sources:
        if not member_of(members, source):
            yield f"node {source.name} is a source, and its name and address are in no member's peer URL: no etcd there"
    for member in members:
        if not any(is_on(source, member) for source in sources):
            urls = ", ".join(member.peer_urls)
            yield f"etcd member {member.name or f'{member.id:x}'} at {urls} is on no source by name or address: preflight refuses that"


def port_of(source: Source, usual: int, knows: Knows) -> int | None:
    """The port by which its host key is known, the usual one first; None when it is known by none."""
    return next((port for port in (usual, *USUAL_PORTS) if knows(str(source.address), port)), None)


def written(source: Source, login: Login, knows: Knows) -> dict[str, object]:
    """The source as the config has it, with its port of SSH where that is another one."""
    port = port_of(source, login.port, knows)
    differs = {"ssh": {"port": port}} if port not in (None, login.port) else {}
    return {"name": source.name, "address": str(source.address), **differs}
