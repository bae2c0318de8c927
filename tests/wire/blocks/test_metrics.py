"""Figures reach a file and a pushgateway."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx
import pytest

from blocks.metrics import push_figures, write_figures
from blocks.ports import Figure

FIGURES = [
    Figure("evenkeel_steps", "Steps.", 7, (("outcome", "changed"),)),
    Figure("evenkeel_steps", "Steps.", 0, (("outcome", "failed"),)),
    Figure("evenkeel_run_duration_seconds", "From begin to end.", 12.5),
]
LABELS = {"platform": "demo", "flow": "migrate"}
Asked = list[tuple[str, str, str]]


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Asked]]:
    """Its URL, and method, path and body of what it was asked; it takes no figures of platform `refused`."""
    asked: Asked = []

    class Gateway(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            asked.append((self.command, self.path, body))
            self.send_response(400 if "refused" in self.path else 200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")  # nobody listens there
    with HTTPServer(("127.0.0.1", 0), Gateway) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()


def test_a_file_has_them_all_in_place_of_the_last_one(tmp_path: Path) -> None:
    for _ in range(2):
        path = write_figures(FIGURES, tmp_path, LABELS)

    assert list(tmp_path.iterdir()) == [path] == [tmp_path / "evenkeel-demo-migrate.prom"]
    lines = path.read_text().splitlines()
    assert 'evenkeel_steps{flow="migrate",outcome="changed",platform="demo"} 7.0' in lines
    assert 'evenkeel_run_duration_seconds{flow="migrate",platform="demo"} 12.5' in lines
    assert lines.count("# TYPE evenkeel_steps gauge") == 1


def test_a_gateway_gets_them_past_any_proxy(gateway: tuple[str, Asked]) -> None:
    push_figures(FIGURES, gateway[0], LABELS)

    ((method, path, body),) = gateway[1]
    assert (method, path) == ("PUT", "/metrics/job/evenkeel/flow/migrate/platform/demo")
    assert 'evenkeel_steps{outcome="failed"} 0.0' in body.splitlines()


def test_a_gateway_that_does_not_take_them_is_an_error(gateway: tuple[str, Asked]) -> None:
    with pytest.raises(httpx.HTTPStatusError):
        push_figures(FIGURES, gateway[0], {**LABELS, "platform": "refused"})
