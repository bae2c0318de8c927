"""TLS between a client and etcd's gateway: what each side says of the other. The server's behaviour is that of etcd 3.4.23."""

from __future__ import annotations

import contextlib
import json
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from blocks.etcd import EtcdEndpoints
from blocks.etcd_tls import ClientTls, trust
from blocks.probe_clients import ProbeConfig, asks
from configs.errors import ConfigError, EvenkeelError
from tests.fakes.certificates import Authority
from tests.wire.conftest import provoked

STATUS = {"header": {"cluster_id": "7", "member_id": "8"}, "version": "3.4.23", "leader": "8"}


class Gateway(BaseHTTPRequestHandler):
    """Answers every question with a status, or as it is made to."""

    refusal = ""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        body = {"error": self.refusal, "code": 14} if self.refusal else {**STATUS, "kvs": [{"value": "MQ=="}]}
        self.send_response(503 if self.refusal else 200)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"etcdserver": "3.4.23"}')

    def log_message(self, *_: object) -> None:
        """Nothing to standard error."""


class Server(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """A handshake that fails is what a test is about."""


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    made = Authority(tmp_path)
    made.issue("client", usages=("clientAuth",))
    made.issue("member", "127.0.0.1")
    return made


@contextlib.contextmanager
def serving(authority: Authority | None, pair: str = "member") -> Iterator[str]:
    """The URL of a gateway with that pair, which accepts clients of the authority only; of a plain one without."""
    server = Server(("127.0.0.1", 0), Gateway)
    if authority is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=authority.cert)
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_cert_chain(authority.folder / f"{pair}.crt", authority.folder / f"{pair}.key")
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"https://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def client_of(authority: Authority, pair: str = "client") -> ClientTls:
    folder = authority.folder
    return ClientTls(str(authority.cert), str(folder / f"{pair}.crt"), str(folder / f"{pair}.key"))


def refusal(url: str, tls: ClientTls | None) -> str:
    with EtcdEndpoints(endpoints=(url,), tls=tls).cluster() as etcd, pytest.raises(EvenkeelError) as error:
        etcd.cluster_id()
    return str(error.value)


def test_both_sides_know_each_other_by_their_certificates(authority: Authority) -> None:
    with serving(authority) as url, EtcdEndpoints(endpoints=(url,), tls=client_of(authority)).cluster() as etcd:
        assert etcd.cluster_id() == 7


def test_the_probe_is_such_a_client_too(authority: Authority) -> None:
    with serving(authority) as url:
        config = ProbeConfig("samples", etcd=(url,), key="/demo/probe", etcd_tls=client_of(authority))
        asks(ProbeConfig.parse(config.line()))["etcd"]()


def test_plain_http_to_it_is_refused_with_what_to_write(authority: Authority) -> None:
    with serving(authority) as url:
        assert "write its certificates as etcd.tls in the config [etcd-speaks-tls]" in refusal(url.replace("https", "http"), None)


def test_tls_to_a_plain_one_is_refused_with_what_to_leave_out(authority: Authority) -> None:
    with serving(None) as url:
        said = refusal(url, client_of(authority))

    assert "serves plain HTTP, and the config has etcd.tls: leave that out, or" in said
    assert said.endswith("[etcd-speaks-plain]")


def test_a_member_of_another_authority_or_address_is_not_accepted(authority: Authority, tmp_path: Path) -> None:
    other = Authority(tmp_path / "other", "other")
    other.issue("client", usages=("clientAuth",))
    authority.issue("elsewhere", "127.0.0.9")

    with serving(authority) as url:
        assert "its certificate is not accepted: self-signed certificate in" in refusal(url, client_of(other))
    with serving(authority, "elsewhere") as url:
        assert refusal(url, client_of(authority)).endswith("and name this address [etcd-certificate-not-accepted]")


def test_a_client_that_it_does_not_accept_is_said_so(authority: Authority, tmp_path: Path) -> None:
    cert, key = Authority(tmp_path / "other").issue("client", usages=("clientAuth",))

    with serving(authority) as url:
        said = refusal(url, ClientTls(str(authority.cert), str(cert), str(key)))

    assert "its etcd does not accept the client's certificate (" in said
    assert said.endswith("--trusted-ca-file there [etcd-client-not-accepted]")


def test_a_gateway_that_its_own_etcd_refuses_is_explained(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Gateway, "refusal", 'connection error: desc = "transport: failed to write client preface"')

    with serving(authority) as url:
        said = refusal(url, client_of(authority))

    assert "needs the extended key usage clientAuth beside serverAuth" in said
    assert said.endswith("[etcd-unavailable]")
    assert "etcd-gateway-not-accepted" in provoked.ids, "its text is all that is quoted of it when nobody answers"


@pytest.mark.parametrize(
    ("ca", "cert", "key", "expected"),
    [
        ("none.crt", "client.crt", "client.key", r"etcd.tls.ca: .*none.crt: No such file"),
        ("client.key", "client.crt", "client.key", r"etcd.tls.ca: .*client.key: "),
        ("ca.crt", "client.crt", "none.key", r"client.crt and .*none.key: No such file"),
        ("ca.crt", "client.crt", "member.key", r"member.key: key values mismatch: write a certificate and its own key"),
        ("ca.crt", "client.crt", "sealed.key", r"sealed.key: .*not encrypted"),
    ],
)
def test_files_that_will_not_do_are_named(authority: Authority, ca: str, cert: str, key: str, expected: str) -> None:
    authority.issue("sealed", passphrase=b"secret")

    with pytest.raises(ConfigError, match=rf"{expected}.*\[etcd-tls-unreadable\]"):
        trust(ClientTls(*(str(authority.folder / name) for name in (ca, cert, key))))
