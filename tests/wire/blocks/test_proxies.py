"""The platform is asked directly, whatever proxy the operator's shell names."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from pydantic import SecretStr

from blocks.errors import EtcdUnavailableError, KubeUnavailableError, TransientError
from blocks.etcd import EtcdCluster, EtcdEndpoints
from blocks.etcd_keys import CHANNEL, MESSAGE_BYTES, EtcdKeys
from blocks.http import get
from blocks.kube_credentials import KubeCredentials
from blocks.kubernetes import KubeCluster
from blocks.probe_clients import ERRORS, ProbeConfig, asks
from blocks.probe_database import Sql
from configs.http import HttpCheck
from tests.fakes.certificates import Authority


class Listener:
    """Counts who connects, and hangs up."""

    def __init__(self) -> None:
        self.connections = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            connection, _ = self._socket.accept()
            with connection:
                connection.settimeout(0.2)  # a database's client waits for a greeting
                with suppress(TimeoutError):
                    if connection.recv(1, socket.MSG_PEEK) == b"!":
                        return
                self.connections += 1

    def close(self) -> None:
        with socket.create_connection(("127.0.0.1", self.port)) as last:
            last.sendall(b"!")
            self._thread.join()
        self._socket.close()


@pytest.fixture
def server() -> Iterator[Listener]:
    listener = Listener()
    yield listener
    listener.close()


EVERY = ("http_proxy", "https_proxy", "all_proxy", "grpc_proxy", "no_proxy", "no_grpc_proxy")
SHELLS = {
    "lower case": ("http_proxy", "https_proxy", "grpc_proxy"),
    "upper case": ("HTTP_PROXY", "HTTPS_PROXY"),
    "for all": ("all_proxy",),
    "for all, upper case": ("ALL_PROXY",),
}


@pytest.fixture(params=SHELLS.values(), ids=list(SHELLS))
def proxy(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Listener]:
    listener = Listener()
    for name in EVERY:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name in request.param:
        monkeypatch.setenv(name, f"http://127.0.0.1:{listener.port}")
    yield listener
    listener.close()


class OneMember:
    """See etcd.EtcdCluster."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint

    def on_any(self, act: Callable[[str], Any]) -> Any:
        return act(self._endpoint)


def test_keys_and_leases_go_to_etcd_itself(server: Listener, proxy: Listener) -> None:
    keys = EtcdKeys(cast(EtcdCluster, OneMember(f"http://127.0.0.1:{server.port}")))

    with pytest.raises(EtcdUnavailableError, match=f"http://127.0.0.1:{server.port}: "):
        keys.get("/evenkeel/demo/lock")
    keys.close()

    assert server.connections > 0
    assert proxy.connections == 0


@pytest.mark.parametrize(
    "question", [KubeCluster.nodes, lambda kube: kube.exec("uap", "backup-ctl-0", ["true"])], ids=["a request", "an exec"]
)
def test_the_api_and_its_execs_go_to_a_server_itself(
    server: Listener, proxy: Listener, question: Callable[[KubeCluster], Any]
) -> None:
    credentials = KubeCredentials("ca", "certificate", SecretStr("key"))
    kube = KubeCluster(credentials, ("127.0.0.1",), server.port)

    with pytest.raises(KubeUnavailableError, match=r"no API server answered: 127\.0\.0\.1: "):
        question(kube)

    assert proxy.connections == 0


def test_members_are_asked_themselves(server: Listener, proxy: Listener) -> None:
    endpoints = EtcdEndpoints(endpoints=(f"http://127.0.0.1:{server.port}",))

    with endpoints.cluster() as etcd, pytest.raises(EtcdUnavailableError):
        etcd.members()

    assert server.connections > 0
    assert proxy.connections == 0


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_service_is_asked_itself(server: Listener, proxy: Listener, scheme: str) -> None:
    with pytest.raises(TransientError):
        get(HttpCheck.model_validate({"url": f"{scheme}://127.0.0.1:{server.port}/"}))

    assert server.connections > 0
    assert proxy.connections == 0


def test_the_probe_asks_everybody_themselves(server: Listener, proxy: Listener, tmp_path: Path) -> None:
    """The environment is that of the run: the probe's process inherits it."""
    at = f"127.0.0.1:{server.port}"
    authority = Authority(tmp_path)
    config = ProbeConfig(
        "samples",
        http=((f"http://{at}/", ""), (f"https://{at}/secure", str(authority.cert))),
        api=f"https://{at}/readyz",
        ca=authority.cert.read_text(),
        etcd=(f"http://{at}",),
        key="/demo/probe",
        sql=Sql("127.0.0.1", server.port, "app", "s3cret", "app"),
    )
    series = asks(config)

    assert set(series) == {f"http http://{at}/", f"http https://{at}/secure", "api", "etcd", "sql"}
    for number, ask in enumerate(series.values(), 1):
        with pytest.raises(ERRORS):
            ask()
        assert server.connections >= number
    assert proxy.connections == 0


def test_what_is_tested_here_does_obey_a_proxy_where_nothing_keeps_it_from_that(server: Listener, proxy: Listener) -> None:
    with pytest.raises(httpx.HTTPError):
        httpx.get(f"http://127.0.0.1:{server.port}/")

    assert (server.connections, proxy.connections > 0) == (0, True)


def test_a_message_may_be_longer_than_grpcs_default() -> None:
    options = dict(CHANNEL)

    assert options["grpc.max_receive_message_length"] == options["grpc.max_send_message_length"] == MESSAGE_BYTES
    assert MESSAGE_BYTES > 4 * 2**20
