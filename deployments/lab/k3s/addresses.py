"""Which of a machine's own addresses its node speaks from, on a network that may have no default route."""

import json
import socket
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

from .errors import StartError

_NOT_OURS = ("lo", "docker", "br-", "veth", "cni", "flannel", "kube")


def require_default_route(table: Path = Path("/proc/net/route")) -> None:
    """StartError on a machine without a default route: the real API server ends there, whatever its flags are."""
    routes = [line.split() for line in table.read_text().splitlines()[1:]]
    if not any(route[1] == route[7] == "00000000" for route in routes):
        raise StartError(f'apiserver exited: no default routes found in "{table}" or "/proc/net/ipv6_route"')


def node_address(peers: list[str]) -> str:
    """The address this machine uses towards the first of `peers` (URLs) that it has a route to, else its first one.

    A virtual address that keepalived holds for the moment is never the source of a connection, so it isn't taken.
    """
    for peer in peers:
        parts = urlsplit(peer)
        source = _source_towards(parts.hostname or "", parts.port or 443)
        if source and not source.startswith("127."):
            return source
    return _first_address()


def _source_towards(host: str, port: int) -> str:
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect((host, port))  # sends nothing
            source: str = probe.getsockname()[0]
            return source
    except OSError:
        return ""


def _first_address() -> str:
    shown = subprocess.run(["ip", "-j", "-4", "addr", "show", "scope", "global"], capture_output=True, check=False)
    for link in json.loads(shown.stdout or "[]"):
        if link.get("addr_info") and not link["ifname"].startswith(_NOT_OURS):
            address: str = link["addr_info"][0]["local"]
            return address
    raise StartError("this machine has no global IPv4 address; say which one is the node's: --node-ip ADDRESS")
