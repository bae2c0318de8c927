"""How each series of the probe asks, and what it is told to ask."""

from __future__ import annotations

import base64
import json
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import httpx
import pymysql

DEADLINE_S = 1.0  # for connecting and for an answer: a client that waits longer has noticed
TABLE = "evenkeel_probe"
MAKE, CIPHER, WRITE, READ, DROP = (
    "CREATE TABLE IF NOT EXISTS evenkeel_probe (id BIGINT PRIMARY KEY)",
    "SHOW STATUS LIKE 'Ssl_cipher'",
    "INSERT INTO evenkeel_probe VALUES (%s)",
    "SELECT id FROM evenkeel_probe WHERE id = %s",
    "DROP TABLE IF EXISTS evenkeel_probe",
)
ERRORS = (httpx.HTTPError, pymysql.MySQLError, OSError, ValueError)
"""What a client that is not answered may raise."""

Ask = Callable[[], None]


@dataclass(frozen=True)
class Sql:
    """Where the database answers clients outside, and as whom."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    database: str


@dataclass(frozen=True)
class Wish:
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
    def parse(cls, line: str) -> Wish:
        wish = json.loads(line)
        sql = wish.pop("sql")
        return cls(**{**wish, "http": tuple(wish["http"]), "etcd": tuple(wish["etcd"])}, sql=Sql(**sql) if sql else None)


class Etcd:
    """A client of etcd as the API servers are ones: it asks the endpoint that answered last, then the others."""

    def __init__(self, client: httpx.Client, endpoints: tuple[str, ...], key: str) -> None:
        self._client, self._order, self._key = client, list(endpoints), _b64(key)
        self._turn = threading.Lock()

    def ask(self) -> None:
        ends, failures = time.monotonic() + DEADLINE_S, []
        for endpoint in tuple(self._order):
            try:
                self._write_and_read(endpoint, ends)
            except (httpx.HTTPError, ValueError) as error:
                failures.append(f"{endpoint}: {error or type(error).__name__}")
                continue
            with self._turn:
                self._order.remove(endpoint)
                self._order.insert(0, endpoint)
            return
        raise ValueError("; ".join(failures))

    def _write_and_read(self, endpoint: str, ends: float) -> None:
        wanted = _b64(f"{time.time()}")
        for path, body in (("put", {"key": self._key, "value": wanted}), ("range", {"key": self._key})):
            left = ends - time.monotonic()
            if left <= 0:
                raise ValueError("too slow")
            answer = self._client.post(f"{endpoint}/v3/kv/{path}", json=body, timeout=left).raise_for_status().json()
        if not answer.get("kvs"):
            raise ValueError("what was written is not there")


def asks(wish: Wish) -> dict[str, Ask]:
    """How each series asks, by its name."""
    plain = httpx.Client(trust_env=False, timeout=DEADLINE_S, limits=httpx.Limits(max_keepalive_connections=0))
    found: dict[str, Ask] = {f"http {url}": _get(plain, url, ok=range(200, 400)) for url in wish.http}
    if wish.api:
        context = ssl.create_default_context(cadata=wish.ca)
        context.check_hostname = False  # the VIP may be in no certificate; the CA is the cluster's own
        secure = httpx.Client(
            trust_env=False, timeout=DEADLINE_S, limits=httpx.Limits(max_keepalive_connections=0), verify=context
        )
        # Without credentials: 401 and 403 are the API server's own words, too.
        found["api"] = _get(secure, wish.api, ok=(200, 401, 403))
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


class Database:
    """A client of the database, on a connection of its own for every sample, encrypted when the server can."""

    def __init__(self, sql: Sql) -> None:
        self._sql = sql
        self._tls: dict[str, Any] | None = None

    def ask(self) -> None:
        wanted = time.time_ns()
        with self.connected() as database, database.cursor() as cursor:
            if self._tls is None:
                cursor.execute(MAKE)
                cursor.execute(CIPHER)
                self._tls = {"ssl": _unverified()} if (cursor.fetchone() or ("", ""))[1] else {"ssl_disabled": True}
            cursor.execute(WRITE, (wanted,))
            cursor.execute(READ, (wanted,))
            if cursor.fetchone() != (wanted,):
                raise ValueError("what was written is not there")

    def connected(self) -> Any:
        """A connection. Once it is known whether the server encrypts, one costs a tenth: no certificates are read for it."""
        return pymysql.connect(
            host=self._sql.host,
            port=self._sql.port,
            user=self._sql.user,
            password=self._sql.password,
            database=self._sql.database,
            autocommit=True,
            connect_timeout=DEADLINE_S,
            read_timeout=DEADLINE_S,
            write_timeout=DEADLINE_S,
            **(self._tls or {}),
        )


def drop_table(sql: Sql) -> None:
    """Leave nothing of the probe's in the database."""
    with Database(sql).connected() as database, database.cursor() as cursor:
        cursor.execute(DROP)


def _unverified() -> ssl.SSLContext:
    """What PyMySQL makes for every connection that it is not told otherwise for, made once."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
