"""A client of the test's own, independent of the product: it requests the replicated service twenty times a second."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import httpx

from tests.lab import world
from tests.lab.watcher import Watcher

PACE_S = 0.05
DEADLINE_S = 10.0  # what counts is whether it was answered: nine machines on one box are slow at times
SLOTS = 32


@dataclass(frozen=True)
class Request:
    """One request, by its id; `error` is empty when it was answered."""

    id: int
    at: float
    error: str


class Client(Watcher):
    """Asks until the context ends, each request on a connection of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[Request] = []

    def failed(self, begun: float, ended: float) -> list[Request]:
        """What was not answered of what was asked in that time, in seconds since the epoch."""
        return [request for request in self.requests if request.error and begun <= request.at <= ended]

    def watch(self) -> None:
        limits = httpx.Limits(max_keepalive_connections=0)
        with httpx.Client(trust_env=False, timeout=DEADLINE_S, limits=limits) as http, ThreadPoolExecutor(SLOTS) as pool:
            number = 0
            while not self.ended.wait(PACE_S):
                number += 1
                pool.submit(self._ask, http, number)

    def _ask(self, http: httpx.Client, number: int) -> None:
        at, error = time.time(), ""
        try:
            http.get(f"http://{world.VIP}:30080/?id={number}").raise_for_status()
        except httpx.HTTPError as failed:
            error = f"{type(failed).__name__}: {failed}"
        self.requests.append(Request(number, at, error))
