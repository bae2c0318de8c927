"""The servers that an agent knows: K3S_URL's, and all that the cluster has named since; kept over restarts."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from . import paths


class ServerList:
    """Addresses ("host:port") in the order to try them. Memory of another K3S_URL is dropped, as k3s does."""

    def __init__(self, url: str, cache: Path = paths.BALANCER_CACHE) -> None:
        parts = urlsplit(url)
        self._url = url
        self._cache = cache
        self._original = f"{parts.hostname}:{parts.port or 443}"
        self._named = self._remembered()
        self._current = ""

    def candidates(self) -> list[str]:
        """Whom to dial: the one that answered last, the others, and K3S_URL's own address last of all."""
        ordered = [self._current] if self._current in (*self._named, self._original) else []
        return list(dict.fromkeys([*ordered, *self._named, self._original]))

    def prefer(self, address: str) -> None:
        self._current = address

    def update(self, addresses: list[str]) -> set[str]:
        """Take what the cluster says now; returns who has left. A cluster that names nobody is not believed."""
        if not addresses or sorted(addresses) == sorted(self._named):
            return set()
        gone = set(self._named) - set(addresses)
        self._named = addresses
        self._remember()
        return gone

    def _remembered(self) -> list[str]:
        try:
            cached = json.loads(self._cache.read_text())
        except (OSError, ValueError):
            return []
        return list(cached.get("ServerAddresses", [])) if cached.get("ServerURL") == self._url else []

    def _remember(self) -> None:
        data = {"ServerURL": self._url, "ServerAddresses": self._named}
        paths.write(self._cache, json.dumps(data) + "\n")


def addresses_of(endpoints: dict[str, Any]) -> list[str]:
    """The "host:port" list of an Endpoints object."""
    found = []
    for subset in endpoints.get("subsets") or []:
        for port in subset.get("ports", []):
            found += [f"{address['ip']}:{port['port']}" for address in subset.get("addresses", [])]
    return sorted(found)
