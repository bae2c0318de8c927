"""Where a member of etcd can be asked, which is not always where it says: its default is http://localhost:2379."""

from __future__ import annotations

from collections.abc import Callable, Collection
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from blocks.errors import EtcdUnavailableError
from blocks.ports import Member
from configs.errors import EvenkeelError


def is_own_only(url: str) -> bool:
    """Whether a URL leads to whoever follows it, and to nobody else's machine: localhost, 127.0.0.1, 0.0.0.0, [::]."""
    host = urlsplit(url).hostname or ""
    try:
        address = ip_address(host)
    except ValueError:
        return host in ("", "localhost") or host.startswith("localhost.")
    return address.is_loopback or address.is_unspecified


def candidates(member: Member, scheme: str, port: int) -> tuple[str, ...]:
    """The member's client URLs that others can follow, then its peers' way to it with the usual client port."""
    advertised = [url.rstrip("/") for url in member.client_urls if not is_own_only(url)]
    hosts = [urlsplit(url).netloc.rpartition(":")[0] for url in member.peer_urls if not is_own_only(url)]
    return tuple(dict.fromkeys([*advertised, *(f"{scheme}://{host}:{port}" for host in hosts)]))


def find_home(
    member: Member,
    header: Callable[[str], dict[str, Any]],
    endpoints: Collection[str],
    cluster_id: int | None,
) -> str:
    """Where the member answers, known by its id and its cluster's: what it advertises may lead to somebody else. One whose
    URLs can't be followed from here may be at one of the `endpoints`. `header` asks an endpoint for that of its status.

    Raises EtcdUnavailableError with what each of these said.
    """
    if not member.client_urls:
        where = ", ".join(member.peer_urls)
        raise EtcdUnavailableError(
            f"etcd: member {member.id:x} at {where} has not started yet", id="etcd-member-not-started"
        )
    usual, reasons = urlsplit(next(iter(endpoints))), []
    own = candidates(member, usual.scheme, usual.port or 0)
    others = () if set(own) & set(endpoints) else endpoints
    for endpoint in (*own, *others):
        try:
            found = header(endpoint)
        except EvenkeelError as error:
            reasons.append(error.message)
            continue
        if int(found["member_id"]) == member.id and cluster_id in (None, int(found["cluster_id"])):
            return endpoint
        reasons.append(
            f"{endpoint}: another member, {int(found['member_id']):x} of cluster {int(found['cluster_id']):x}"
        )
    raise EtcdUnavailableError(f"etcd: member {member.name} does not answer: {'; '.join(reasons)}")
