"""How each series of the probe asks, and its configuration."""

from __future__ import annotations

import base64
import json
import ssl
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import Any

import httpx
import pymysql

from blocks.errors import EtcdUnavailableError, HostError
from blocks.etcd_gateway import post
from blocks.etcd_tls import ClientTls, trust
from blocks.failover import Failover
from blocks.http import trust_of
from blocks.probe_database import DEADLINE_S, Database, Sql
from configs.errors import EvenkeelError

EVERY_S = 0.2
FORGET_S = 5.0  # the probe's own end, some of the machines being switched off
ERRORS = (EvenkeelError, httpx.HTTPError, pymysql.MySQLError, OSError, ValueError)
"""What a client that is not answered may raise."""

Ask = Callable[[], None]


@dataclass(frozen=True)
class ProbeConfig:
    """What to sample."""

    samples: str
    http: tuple[tuple[str, str], ...] = ()
    """URLs, each with the file of its certificate's authority, or nothing."""
    api: str = ""
    ca: str = ""
    """The PEM that the API's certificate must come from."""
    etcd: tuple[str, ...] = ()
    key: str = ""
    etcd_tls: ClientTls | None = None
    sql: Sql | None = None
    every_s: float = EVERY_S
    deadline_s: float = DEADLINE_S
    """For an answer of any but the database, whose clients have DEADLINE_S."""

    def line(self) -> str:
        return json.dumps(asdict(self)) + "\n"

    @classmethod
    def parse(cls, line: str) -> ProbeConfig:
        config = json.loads(line)
        sql, tls = config.pop("sql"), config.pop("etcd_tls")
        lists = {"http": tuple(map(tuple, config["http"])), "etcd": tuple(config["etcd"])}
        return cls(**{**config, **lists}, sql=Sql(**sql) if sql else None, etcd_tls=ClientTls(**tls) if tls else None)


class Etcd:
    """A client of etcd as the API servers are ones: it asks the endpoint that answered last, then the others."""

    def __init__(self, client: httpx.Client, endpoints: tuple[str, ...], key: str, deadline_s: float) -> None:
        self._client, self._key, self._deadline_s = client, _b64(key), deadline_s
        # To a client it is all the same why an endpoint does not serve it.
        self._failover = Failover(
            endpoints, nobody="etcd: no endpoint answered", unavailable=EtcdUnavailableError, passing=(HostError,)
        )

    def ask(self) -> None:
        """Raises EtcdUnavailableError with the reasons when no endpoint keeps what is written within the deadline."""
        self._of_any(self._write_and_read, self._deadline_s)

    def forget(self) -> None:
        """Leave nothing of the probe's in etcd."""
        self._of_any(lambda endpoint, ends: self._post(endpoint, "deleterange", {"key": self._key}, ends), FORGET_S)

    def _of_any(self, ask: Callable[[str, float], object], within_s: float) -> None:
        ends = time.monotonic() + within_s
        self._failover.ask(lambda endpoint: ask(endpoint, ends), ends=ends)

    def _write_and_read(self, endpoint: str, ends: float) -> None:
        wanted = _b64(f"{time.time()}")
        self._post(endpoint, "put", {"key": self._key, "value": wanted}, ends)
        if not self._post(endpoint, "range", {"key": self._key}, ends).get("kvs"):
            raise EtcdUnavailableError(f"{endpoint}: what was written is not there")

    def _post(self, endpoint: str, what: str, body: dict[str, str], ends: float) -> dict[str, Any]:
        left = min(ends - time.monotonic(), self._deadline_s)
        if left <= 0:
            raise EtcdUnavailableError(f"{endpoint}: too slow")
        return post(self._client, endpoint, f"kv/{what}", body, timeout_s=left)


def asks(config: ProbeConfig) -> dict[str, Ask]:
    """How each series asks, by its name."""
    clients = {ca: _client(config, verify=trust_of(ca)) for _, ca in config.http}
    found: dict[str, Ask] = {f"http {url}": _get(clients[ca], url, ok=range(200, 400)) for url, ca in config.http}
    if config.api:
        context = ssl.create_default_context(cadata=config.ca)
        context.check_hostname = False  # the VIP may be in no certificate; the CA is the cluster's own
        # Without credentials: 401 and 403 are the API server's own words, too.
        found["api"] = _get(_client(config, verify=context), config.api, ok=(200, 401, 403))
    if config.etcd:
        found["etcd"] = _etcd(config).ask
    if config.sql is not None:
        found["sql"] = Database(config.sql).ask
    return found


def _etcd(config: ProbeConfig) -> Etcd:
    return Etcd(_client(config, verify=trust(config.etcd_tls)), config.etcd, config.key, config.deadline_s)


def _get(client: httpx.Client, url: str, *, ok: Any) -> Ask:
    def ask() -> None:
        status = client.get(url).status_code
        if status not in ok:
            raise ValueError(f"HTTP {status}")

    return ask


def forget(config: ProbeConfig) -> None:
    """Leave nothing of the probe's in etcd and in the database; what fails in one is raised after the other."""
    with ExitStack() as both:
        if config.etcd:
            both.callback(_etcd(config).forget)
        if config.sql is not None:
            both.callback(Database(config.sql).forget)


def _client(config: ProbeConfig, *, verify: ssl.SSLContext | bool = True) -> httpx.Client:
    """A client with a new connection for every sample, as a new user has."""
    limits = httpx.Limits(max_keepalive_connections=0)
    return httpx.Client(trust_env=False, timeout=config.deadline_s, limits=limits, verify=verify)


def _b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
