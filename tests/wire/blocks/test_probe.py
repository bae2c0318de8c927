"""The process that plays clients, against servers on this machine."""

from __future__ import annotations

import base64
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import pymysql
import pytest

from blocks.probe import ticks
from blocks.probe_clients import ProbeConfig
from blocks.probe_database import Database, Sql
from blocks.probe_process import ProbeProcess

EVERY_S, DEADLINE_S = 0.1, 0.7  # shorter than the product's


class Server(BaseHTTPRequestHandler):
    """A web page, and etcd's gateway with one key."""

    values: ClassVar[dict[str, str]] = {}
    forgotten: ClassVar[list[str]] = []
    hangs = threading.Event()

    def do_GET(self) -> None:
        if self.hangs.is_set():
            time.sleep(2 * DEADLINE_S)
        self.answer({})

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path.endswith("/put"):
            self.values[asked["key"]] = asked["value"]
        elif self.path.endswith("/deleterange"):
            self.forgotten.append(asked["key"])
        found = self.values.get(asked["key"])
        self.answer({"kvs": [{"value": found}]} if found else {})

    def answer(self, body: Any) -> None:
        with suppress(BrokenPipeError):  # a client that has given up
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_: object) -> None:
        """Tests are quiet."""


@pytest.fixture
def url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    Server.hangs.clear()
    server.shutdown()
    server.server_close()
    thread.join()


def quick(path: Path, **series: Any) -> ProbeConfig:
    return ProbeConfig(str(path), every_s=EVERY_S, deadline_s=DEADLINE_S, **series)


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def await_rows(path: Path, enough: Callable[[list[dict[str, Any]]], object]) -> list[dict[str, Any]]:
    ends = time.monotonic() + 20
    while not enough(found := rows(path)):
        assert time.monotonic() < ends, found
        time.sleep(0.05)
    return found


def at_least(count: int) -> Callable[[list[dict[str, Any]]], bool]:
    return lambda found: len(found) >= count


def hung(found: list[dict[str, Any]]) -> bool:
    return any("Timeout" in row["error"] for row in found if row["series"].startswith("http"))


def of_etcd(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for row in found if row["series"] == "etcd"]


def late(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Samples that begin when the first endpoint has had its time."""
    etcd = of_etcd(found)
    return [row for row in etcd if row["at"] > etcd[0]["at"] + 2 * DEADLINE_S]


def test_every_series_is_sampled_at_its_pace_and_a_hanging_answer_hides_no_other(url: str, tmp_path: Path) -> None:
    path = tmp_path / "samples.jsonl"
    probe = ProbeProcess(quick(path, http=((url, ""),), etcd=("http://127.0.0.1:1", url), key="/demo/probe"))
    probe.start()
    try:
        await_rows(path, at_least(10))
        Server.hangs.set()
        probe.check()
        found = await_rows(path, hung)
    finally:
        assert probe.stop()

    etcd = of_etcd(found)
    paces = [after["at"] - before["at"] for before, after in pairwise(etcd)]
    assert sorted(paces)[len(paces) // 2] == pytest.approx(EVERY_S, abs=0.05)
    assert {row["error"] for row in etcd} == {""}
    assert [*Server.values] == Server.forgotten == [base64.b64encode(b"/demo/probe").decode()]


def test_an_endpoint_that_hangs_costs_a_deadline_and_no_more(url: str, tmp_path: Path) -> None:
    path = tmp_path / "samples.jsonl"
    with socket.create_server(("127.0.0.1", 0)) as silent:
        probe = ProbeProcess(quick(path, etcd=(f"http://127.0.0.1:{silent.getsockname()[1]}", url), key="/demo/probe"))
        probe.start()
        found = await_rows(path, lambda rows: len(late(rows)) >= 5)
        assert probe.stop()

    assert of_etcd(found)[0]["error"] != ""
    assert {row["error"] for row in late(found)} == {""}


def test_that_nobody_answers_is_sampled_with_the_reason(tmp_path: Path) -> None:
    path = tmp_path / "samples.jsonl"
    probe = ProbeProcess(quick(path, http=(("http://127.0.0.1:1/", ""),)))
    probe.start()
    found = await_rows(path, at_least(6))
    probe.stop()

    assert {row["error"].partition(":")[0] for row in found if row["series"] != "probe"} == {"ConnectError"}
    assert {row["error"] for row in found if row["series"] == "probe"} == {""}


def test_a_password_of_any_language_reaches_the_database() -> None:
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]

    with pytest.raises(pymysql.OperationalError, match="Connection refused"):
        Database(Sql("127.0.0.1", port, "app", "密码", "app")).ask()


def test_what_was_missed_is_not_made_up_for() -> None:
    ended = threading.Event()
    late = []
    for late_s in ticks(ended, EVERY_S):
        late.append(late_s)
        if len(late) == 1:
            time.sleep(5 * EVERY_S)
        if len(late) == 3:
            ended.set()

    assert late[1] == pytest.approx(4 * EVERY_S, abs=EVERY_S / 2)
    assert late[2] < EVERY_S


def test_a_probe_that_never_began_needs_no_end(tmp_path: Path) -> None:
    assert ProbeProcess(ProbeConfig(str(tmp_path / "samples.jsonl"))).stop() is False


def test_a_config_survives_the_way_into_the_process() -> None:
    urls = (("http://shop/", ""), ("https://shop/", "/etc/shop/ca.crt"))
    config = ProbeConfig("s.jsonl", http=urls, etcd=("http://a", "http://b"), sql=Sql("vip", 1, "app", "s3cret", "app"))

    assert ProbeConfig.parse(config.line()) == config
    assert "s3cret" not in repr(config)
