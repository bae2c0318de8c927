"""The platform is asked directly, whatever proxy the operator's shell names."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest
from pydantic import SecretStr

from blocks.errors import EtcdUnavailableError, KubeUnavailableError
from blocks.etcd import EtcdCluster
from blocks.etcd_keys import CHANNEL, MESSAGE_BYTES, EtcdKeys
from blocks.kube_credentials import KubeCredentials
from blocks.kubernetes import KubeCluster


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


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Listener]:
    listener = Listener()
    for name in ("http_proxy", "https_proxy", "grpc_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{listener.port}")
    for name in ("no_proxy", "NO_PROXY", "no_grpc_proxy"):
        monkeypatch.delenv(name, raising=False)
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


def test_a_message_may_be_longer_than_grpcs_default() -> None:
    options = dict(CHANNEL)

    assert options["grpc.max_receive_message_length"] == options["grpc.max_send_message_length"] == MESSAGE_BYTES
    assert MESSAGE_BYTES > 4 * 2**20
