"""Clients that write while everything breaks, and know what was acknowledged to them."""

from __future__ import annotations

import base64
import threading
import time

import httpx
import pymysql

from tests.lab import world

PACE_S = 0.1
DEADLINE_S = 2.0
ETCD = tuple(f"http://10.99.0.{number}:2379" for number in (11, 12, 13, 21, 22, 23, 24, 25, 26))
TABLE = "acknowledged"


class Writers:
    """etcd puts and SQL inserts, one after the other, until the context ends."""

    def __init__(self, password: str) -> None:
        self._password = password
        self.etcd: set[str] = set()
        self.sql: set[int] = set()
        """What was acknowledged."""
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._writes, args=(put,)) for put in (self._put, self._insert)]

    def __enter__(self) -> Writers:
        with self._database() as database, database.cursor() as cursor:
            cursor.execute(f"CREATE TABLE IF NOT EXISTS {TABLE} (id BIGINT PRIMARY KEY)")
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Write nothing more."""
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def lost(self) -> tuple[set[str], set[int]]:
        """Acknowledged, and not there any more."""
        there = world.keys("phys-1", "/acknowledged/")
        with self._database() as database, database.cursor() as cursor:
            cursor.execute(f"SELECT id FROM {TABLE}")
            rows = {number for (number,) in cursor.fetchall()}
        return self.etcd - there.keys(), self.sql - rows

    def _writes(self, write: object) -> None:
        number = 0
        while not self._ended.wait(PACE_S):
            number += 1
            try:
                write(number)  # type: ignore[operator]
            except (httpx.HTTPError, pymysql.MySQLError, OSError):
                continue  # not acknowledged: it may be there or not

    def _put(self, number: int) -> None:
        key = f"/acknowledged/{time.time_ns()}-{number}"
        body = {"key": base64.b64encode(key.encode()).decode(), "value": base64.b64encode(b"1").decode()}
        for endpoint in ETCD:
            try:
                httpx.post(f"{endpoint}/v3/kv/put", json=body, timeout=DEADLINE_S, trust_env=False).raise_for_status()
            except httpx.HTTPError:
                continue
            self.etcd.add(key)
            return

    def _insert(self, _number: int) -> None:
        wanted = time.time_ns()
        with self._database() as database, database.cursor() as cursor:
            cursor.execute(f"INSERT INTO {TABLE} VALUES (%s)", (wanted,))
        self.sql.add(wanted)

    def _database(self) -> pymysql.connections.Connection:  # type: ignore[type-arg]
        return pymysql.connect(
            host=world.VIP, port=30306, user="wacos", password=self._password, database="wacos", autocommit=True,
            connect_timeout=DEADLINE_S, read_timeout=DEADLINE_S, write_timeout=DEADLINE_S,
        )
