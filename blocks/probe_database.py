"""The probe's client of the database."""

from __future__ import annotations

import ssl
import threading
import time
from dataclasses import dataclass, field
from typing import Any

import pymysql

DEADLINE_S = 1.0  # for connecting and for an answer: a client that waits longer has noticed
DDL_S = 10.0  # a TiDB server has its statement done by another one, the DDL owner: 0.5 to 1 s on v2.1
TABLE = "evenkeel_probe"
MAKE, CIPHER, WRITE, READ, DROP = (
    "CREATE TABLE IF NOT EXISTS evenkeel_probe (id BIGINT PRIMARY KEY)",
    "SHOW STATUS LIKE 'Ssl_cipher'",
    "INSERT INTO evenkeel_probe VALUES (%s)",
    "SELECT id FROM evenkeel_probe WHERE id = %s",
    "DROP TABLE IF EXISTS evenkeel_probe",
)


@dataclass(frozen=True)
class Sql:
    """Where the database answers clients outside, and as whom."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    database: str


class Database:
    """A client of the database, on a connection of its own for every sample, encrypted when the server can."""

    def __init__(self, sql: Sql) -> None:
        self._sql = sql
        self._tls: dict[str, Any] | None = None
        self._preparing = threading.Lock()

    def ask(self) -> None:
        self._prepare()
        wanted = time.time_ns()
        with self.connected() as database, database.cursor() as cursor:
            cursor.execute(WRITE, (wanted,))
            cursor.execute(READ, (wanted,))
            if cursor.fetchone() != (wanted,):
                raise ValueError("what was written is not there")

    def forget(self) -> None:
        """Leave nothing of the probe's in the database."""
        with self.connected(DDL_S) as database, database.cursor() as cursor:
            cursor.execute(DROP)

    def connected(self, answer_s: float = DEADLINE_S) -> Any:
        """A connection. Once it is known whether the server encrypts, one costs a tenth: no certificates are read for it."""
        return pymysql.connect(
            host=self._sql.host,
            port=self._sql.port,
            user=self._sql.user,
            password=self._sql.password.encode(),  # PyMySQL itself would send it as Latin-1
            database=self._sql.database,
            autocommit=True,
            connect_timeout=DEADLINE_S,
            read_timeout=answer_s,
            write_timeout=answer_s,
            **(self._tls or {}),
        )

    def _prepare(self) -> None:
        """Make the table, once, before any sample has its deadline."""
        with self._preparing:
            if self._tls is not None:
                return
            with self.connected(DDL_S) as database, database.cursor() as cursor:
                cursor.execute(MAKE)
                cursor.execute(CIPHER)
                self._tls = {"ssl": _unverified()} if (cursor.fetchone() or ("", ""))[1] else {"ssl_disabled": True}


def _unverified() -> ssl.SSLContext:
    """What PyMySQL makes by default for every connection, made once."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context
