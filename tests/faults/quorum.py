"""A monitor that counts voters during all runs: was there a moment with fewer of them up than quorum?"""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import httpx

from deployments.lab.machines import MACHINES
from tests.lab import world
from tests.lab.watcher import Watcher

PACE_S = 0.2
DEADLINE_S = 4.0  # the kernel accepts connections, however busy etcd is; lost packets are retransmitted twice in that time


class Quorum(Watcher):
    """Watches until the context ends."""

    def __init__(self) -> None:
        super().__init__()
        self.samples = 0
        self.lost: list[str] = []
        """Moments with fewer voters up than quorum, in words."""

    def watch(self) -> None:
        voters: list[str] = []
        with ThreadPoolExecutor(len(MACHINES)) as pool, world.etcd_client(timeout=DEADLINE_S) as http:
            while not self.ended.wait(PACE_S):
                voters = _voters(http) or voters
                up = [voter for voter, answers in zip(voters, pool.map(_is_up, voters), strict=True) if answers]
                self.samples += 1
                if len(up) <= len(voters) // 2:
                    self.lost.append(f"{len(up)} of {len(voters)} voters up, down are {sorted({*voters} - {*up})}")


def is_healthy() -> bool:
    """Whether a majority of the voters reports now that it is healthy, which each does only after a quorum read."""
    with world.etcd_client(timeout=DEADLINE_S) as http, ThreadPoolExecutor(len(MACHINES)) as pool:
        voters = _voters(http)
        healthy = pool.map(lambda voter: _says_it_is_healthy(http, voter), voters)
        return sum(healthy) > len(voters) // 2


def _says_it_is_healthy(http: httpx.Client, endpoint: str) -> bool:
    try:
        return bool(http.get(f"{endpoint}/health").raise_for_status().json()["health"] == "true")
    except (httpx.HTTPError, KeyError, ValueError):
        return False


def _voters(http: httpx.Client) -> list[str]:
    """The voters' client URLs, by the first member that answers."""
    for endpoint in world.etcd_endpoints():
        try:
            said = http.post(f"{endpoint}/v3/cluster/member/list", json={})
            members = said.raise_for_status().json()["members"]
            return [member["clientURLs"][0] for member in members if not member.get("isLearner")]
        except (httpx.HTTPError, KeyError):
            continue
    return []


def _is_up(endpoint: str) -> bool:
    address = urlsplit(endpoint)
    try:
        socket.create_connection((str(address.hostname), address.port or 0), timeout=DEADLINE_S).close()
    except OSError:
        return False
    return True
