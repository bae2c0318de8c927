"""Clients that write during the faults, and remember what was acknowledged to them."""

from __future__ import annotations

import base64
import threading
import time
from collections.abc import Callable

import httpx
import pymysql

from tests.lab import world

PACE_S = 0.1
DEADLINE_S = 2.0
TABLE = "acknowledged"


class Writers:
    """etcd puts, SQL inserts and orders over HTTP, each kind one after the other, until the context ends."""

    def __init__(self, password: str) -> None:
        self._password = password
        self.etcd: set[str] = set()
        self.sql: set[int] = set()
        self.http: set[int] = set()
        """What was acknowledged."""
        limits = httpx.Limits(max_keepalive_connections=0)
        self._http = httpx.Client(trust_env=False, timeout=DEADLINE_S, limits=limits)
        self._etcd = world.etcd_client(timeout=DEADLINE_S, limits=limits)
        self._endpoints = world.etcd_endpoints()
        self._ended = threading.Event()
        self._threads = [
            threading.Thread(target=self._writes, args=(write,)) for write in (self._put, self._insert, self._order)
        ]

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

    def lost(self) -> tuple[set[str], set[int], set[int]]:
        """Acknowledged writes that are missing: keys, rows, orders."""
        there = world.keys("phys-1", "/acknowledged/")
        with self._database() as database, database.cursor() as cursor:
            cursor.execute(f"SELECT id FROM {TABLE}")
            rows = {number for (number,) in cursor.fetchall()}
        orders = {int(name) for name in world.on("phys-1", "ls -U /mnt/uap-global/orders").split()}
        return self.etcd - there.keys(), self.sql - rows, self.http - orders

    @property
    def acknowledged(self) -> int:
        return len(self.etcd) + len(self.sql) + len(self.http)

    def _writes(self, write: Callable[[], None]) -> None:
        while not self._ended.wait(PACE_S):
            try:
                write()
            except (httpx.HTTPError, pymysql.MySQLError, OSError):
                continue  # not acknowledged: it may be there or not

    def _put(self) -> None:
        key = f"/acknowledged/{time.time_ns()}"
        body = {"key": base64.b64encode(key.encode()).decode(), "value": base64.b64encode(b"1").decode()}
        for endpoint in self._endpoints:
            try:
                self._etcd.post(f"{endpoint}/v3/kv/put", json=body).raise_for_status()
            except httpx.HTTPError:
                continue
            self.etcd.add(key)
            return

    def _order(self) -> None:
        wanted = time.time_ns()
        asked = self._http.get(f"http://{world.VIP}:30081/cgi-bin/take?id={wanted}")
        if asked.raise_for_status().text == "taken\n":
            self.http.add(wanted)

    def _insert(self) -> None:
        wanted = time.time_ns()
        with self._database() as database, database.cursor() as cursor:
            cursor.execute(f"INSERT INTO {TABLE} VALUES (%s)", (wanted,))
        self.sql.add(wanted)

    def _database(self) -> pymysql.connections.Connection:  # type: ignore[type-arg]
        return pymysql.connect(
            host=world.VIP, port=30306, user="wacos", password=self._password, database="wacos", autocommit=True,
            connect_timeout=DEADLINE_S, read_timeout=DEADLINE_S, write_timeout=DEADLINE_S, ssl_disabled=True,
        )
