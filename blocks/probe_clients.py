"""How each series of the probe asks, and what it is told to ask."""

from __future__ import annotations

import base64
import json
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import Any, cast

import httpx
import pymysql

from blocks.probe_database import DEADLINE_S, Database, Sql

FORGET_S = 5.0  # the probe's own end, some of the machines being switched off
ERRORS = (httpx.HTTPError, pymysql.MySQLError, OSError, ValueError)
"""What a client that is not answered may raise."""

Ask = Callable[[], None]


@dataclass(frozen=True)
class ProbeConfig:
    """What to sample."""

    samples: str
    http: tuple[str, ...] = ()
    api: str = ""
    ca: str = ""
    """The PEM that the API's certificate must come from."""
    etcd: tuple[str, ...] = ()
    key: str = ""
    sql: Sql | None = None

    def line(self) -> str:
        return json.dumps(asdict(self)) + "\n"

    @classmethod
    def parse(cls, line: str) -> ProbeConfig:
        wish = json.loads(line)
        sql = wish.pop("sql")
        return cls(**{**wish, "http": tuple(wish["http"]), "etcd": tuple(wish["etcd"])}, sql=Sql(**sql) if sql else None)


class Etcd:
    """A client of etcd as the API servers are ones: it asks the endpoint that answered last, then the others."""

    def __init__(self, client: httpx.Client, endpoints: tuple[str, ...], key: str) -> None:
        self._client, self._order, self._key = client, list(endpoints), _b64(key)
        self._turn = threading.Lock()

    def ask(self) -> None:
        """Raises ValueError with the reasons when no endpoint keeps what is written within the deadline."""
        self._of_any(self._write_and_read, DEADLINE_S)

    def forget(self) -> None:
        """Leave nothing of the probe's in etcd."""
        self._of_any(lambda endpoint, ends: self._post(endpoint, "deleterange", {"key": self._key}, ends), FORGET_S)

    def _of_any(self, ask: Callable[[str, float], object], within_s: float) -> None:
        ends, failures = time.monotonic() + within_s, []
        for endpoint in tuple(self._order):
            try:
                ask(endpoint, ends)
            except (httpx.HTTPError, ValueError) as error:
                failures.append(f"{endpoint}: {error or type(error).__name__}")
                # A machine without power does not refuse, it uses up the deadline: the next sample begins elsewhere.
                self._move(endpoint, len(self._order))
                if time.monotonic() >= ends:
                    break
            else:
                self._move(endpoint, 0)
                return
        raise ValueError("; ".join(failures))

    def _move(self, endpoint: str, place: int) -> None:
        with self._turn:
            self._order.remove(endpoint)
            self._order.insert(place, endpoint)

    def _write_and_read(self, endpoint: str, ends: float) -> None:
        wanted = _b64(f"{time.time()}")
        self._post(endpoint, "put", {"key": self._key, "value": wanted}, ends)
        if not self._post(endpoint, "range", {"key": self._key}, ends).get("kvs"):
            raise ValueError("what was written is not there")

    def _post(self, endpoint: str, what: str, body: dict[str, str], ends: float) -> dict[str, Any]:
        left = min(ends - time.monotonic(), DEADLINE_S)
        if left <= 0:
            raise ValueError("too slow")
        answer = self._client.post(f"{endpoint}/v3/kv/{what}", json=body, timeout=left).raise_for_status().json()
        return cast(dict[str, Any], answer)


def asks(wish: ProbeConfig) -> dict[str, Ask]:
    """How each series asks, by its name."""
    plain = _client()
    found: dict[str, Ask] = {f"http {url}": _get(plain, url, ok=range(200, 400)) for url in wish.http}
    if wish.api:
        context = ssl.create_default_context(cadata=wish.ca)
        context.check_hostname = False  # the VIP may be in no certificate; the CA is the cluster's own
        # Without credentials: 401 and 403 are the API server's own words, too.
        found["api"] = _get(_client(verify=context), wish.api, ok=(200, 401, 403))
    if wish.etcd:
        found["etcd"] = Etcd(plain, wish.etcd, wish.key).ask
    if wish.sql is not None:
        found["sql"] = Database(wish.sql).ask
    return found


def _get(client: httpx.Client, url: str, *, ok: Any) -> Ask:
    def ask() -> None:
        status = client.get(url).status_code
        if status not in ok:
            raise ValueError(f"HTTP {status}")

    return ask


def forget(wish: ProbeConfig) -> None:
    """Leave nothing of the probe's in etcd and in the database; what fails in one is raised after the other."""
    with ExitStack() as both:
        if wish.etcd:
            both.callback(Etcd(_client(), wish.etcd, wish.key).forget)
        if wish.sql is not None:
            both.callback(Database(wish.sql).forget)


def _client(*, verify: ssl.SSLContext | bool = True) -> httpx.Client:
    """A client that connects anew for every sample, as a user who has just come does."""
    limits = httpx.Limits(max_keepalive_connections=0)
    return httpx.Client(trust_env=False, timeout=DEADLINE_S, limits=limits, verify=verify)


def _b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
