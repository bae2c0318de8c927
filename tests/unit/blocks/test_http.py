"""A URL's answer over a real connection; the check of the services has words of its own for what is wrong with one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from blocks.errors import HostError, TransientError
from blocks.http import get


class Pages(BaseHTTPRequestHandler):
    """/fine is one, /old leads there, everything else is an error."""

    def do_GET(self) -> None:
        self.send_response({"/fine": 200, "/old": 302}.get(self.path, 503))
        self.send_header("Location", "/fine")
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *_: object) -> None:
        """Nothing is printed."""


@contextmanager
def serving() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Pages) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    with serving() as url:
        yield url


@pytest.mark.parametrize("path", ["/fine", "/old"])
def test_a_page_is_had_also_from_where_it_has_moved_to(site: str, path: str) -> None:
    assert get(site + path) == (200, "hello")


def test_an_error_status_is_an_answer_and_not_worth_a_retry(site: str) -> None:
    with pytest.raises(HostError, match=rf"^{site}/broken: HTTP 503 ") as refused:
        get(f"{site}/broken")
    assert not refused.value.retryable


def test_nobody_who_answers_is_worth_a_retry() -> None:
    with serving() as url:
        pass

    with pytest.raises(TransientError, match=rf"^{url}/: ConnectError: ") as silent:
        get(f"{url}/")
    assert silent.value.retryable
