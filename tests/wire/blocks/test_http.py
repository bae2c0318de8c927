"""Services outside, asked as their clients ask them: with a certificate of a public authority, or of one's own."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from blocks.errors import HostError, TransientError
from blocks.http import get
from blocks.probe_clients import ProbeConfig, asks
from configs.errors import ConfigError
from configs.http import HttpCheck
from tests.fakes.certificates import Authority


class Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(404 if self.path == "/gone" else 200)
        self.end_headers()
        self.wfile.write(b"fine")

    def log_message(self, *_: object) -> None:
        """Tests are quiet."""


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "pki")


@pytest.fixture
def url(authority: Authority) -> Iterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("shop", "127.0.0.1", usages=("serverAuth",)))
    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"https://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()


def asked(url: str, ca: Path | None = None) -> HttpCheck:
    return HttpCheck.model_validate({"url": url, "ca": ca})


def test_a_certificate_of_ones_own_authority_is_accepted_with_its_file(url: str, authority: Authority) -> None:
    assert get(asked(url, authority.cert)) == (200, "fine")


def test_without_the_file_it_is_refused_and_not_asked_again(url: str) -> None:
    with pytest.raises(HostError, match=f"{url}: .*CERTIFICATE_VERIFY_FAILED") as refused:
        get(asked(url))
    assert refused.value.id == "url-certificate-refused"
    assert not isinstance(refused.value, TransientError)


def test_a_certificate_of_another_authority_is_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(HostError, match="CERTIFICATE_VERIFY_FAILED"):
        get(asked(url, Authority(tmp_path / "other").cert))


def test_a_certificate_for_another_name_is_refused(url: str, authority: Authority) -> None:
    with pytest.raises(HostError, match="CERTIFICATE_VERIFY_FAILED"):
        get(asked(url.replace("127.0.0.1", "localhost"), authority.cert))


def test_an_error_status_is_an_error(url: str, authority: Authority) -> None:
    with pytest.raises(HostError, match="HTTP 404") as refused:
        get(asked(f"{url}gone", authority.cert))
    assert refused.value.id == "url-error-status"


def test_nobody_there_may_pass() -> None:
    with pytest.raises(TransientError) as refused:
        get(asked("http://127.0.0.1:1/"))
    assert refused.value.id == "url-unreachable"


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_file_that_can_not_be_read_is_named(content: str | None, tmp_path: Path) -> None:
    ca = tmp_path / "ca.crt"
    if content is not None:
        ca.write_text(content)

    with pytest.raises(ConfigError, match=rf"http_checks: ca: {ca}: .*: write a readable PEM file \[http-ca-unreadable\]"):
        get(asked("https://127.0.0.1:1/", ca))


def test_the_probe_accepts_the_same_certificates(url: str, authority: Authority) -> None:
    wanted = asks(ProbeConfig("samples", http=((url, str(authority.cert)),)))
    refused = asks(ProbeConfig("samples", http=((url, ""),)))

    wanted[f"http {url}"]()
    with pytest.raises(Exception, match="CERTIFICATE_VERIFY_FAILED"):
        refused[f"http {url}"]()
