"""A command in a pod, by a real websocket over TLS: what it said, how it ended, and what a server's refusal is."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from websockets.http11 import Request, Response
from websockets.sync.server import Server, ServerConnection, serve
from websockets.typing import Subprotocol

from blocks import kube_exec
from blocks.errors import DeadlineExceededError, ExecBrokenError, HostError, KubeUnavailableError, NotFoundError
from blocks.kube_credentials import KubeCredentials
from blocks.kubernetes import KubeCluster
from blocks.ports import ExecResult
from deployments.lab.k3s.certificates import Pair, Subject, issue, make_ca

SUCCESS = {"status": "Success"}


def ended(code: int) -> dict[str, Any]:
    causes = [{"reason": "ExitCode", "message": str(code)}]
    return {"status": "Failure", "reason": "NonZeroExitCode", "details": {"causes": causes}}


class Api:
    """A server that knows one pod; `does` plays the command in it."""

    def __init__(self, folder: Path) -> None:
        ca = Pair(folder / "ca.crt", folder / "ca.key")
        for path, text in zip((ca.cert, ca.key), make_ca("test"), strict=True):
            path.write_text(text)
        pair = issue(Pair(folder / "a.crt", folder / "a.key"), ca, Subject("admin"), ["IP:127.0.0.1"])
        self.credentials = KubeCredentials(ca.cert.read_text(), pair.cert.read_text(), SecretStr(pair.key.read_text()))
        self.does: Callable[[ServerConnection], None] = lambda _: None
        self.refuses: tuple[int, str] | None = None
        self.asked: list[str] = []
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair.cert, pair.key)
        self.server: Server = serve(
            lambda stream: self.does(stream), "127.0.0.1", 0, ssl=context,
            subprotocols=[Subprotocol("v4.channel.k8s.io")], process_request=self._judge,
        )  # fmt: skip
        self.port: int = self.server.socket.getsockname()[1]

    def _judge(self, stream: ServerConnection, request: Request) -> Response | None:
        self.asked.append(request.path)
        if self.refuses is None:
            return None
        status, message = self.refuses
        return stream.respond(HTTPStatus(status), json.dumps({"kind": "Status", "message": message}))

    def exec(self, *argv: str, **how: Any) -> ExecResult:
        return KubeCluster(self.credentials, ("127.0.0.1",), self.port).exec("uap", "backup-ctl-0", list(argv), **how)


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    found = Api(tmp_path)
    thread = threading.Thread(target=found.server.serve_forever)
    thread.start()
    yield found
    found.server.shutdown()
    thread.join()


def says(*messages: bytes, status: object = SUCCESS) -> Callable[[ServerConnection], None]:
    def does(stream: ServerConnection) -> None:
        for message in messages:
            stream.send(message)
        stream.send(b"\x03" + json.dumps(status).encode())

    return does


def test_what_a_command_said_comes_with_its_exit_code(api: Api) -> None:
    whole = "好".encode()
    api.does = says(b"\x01", b"\x01one ", b"\x02warning", b"\x01" + whole[:1], b"\x01" + whole[1:], status=ended(3))

    result = api.exec("sh", "-c", "a b & c")

    assert (result.exit_code, result.stdout, result.stderr) == (3, "one 好", "warning")
    path = "/api/v1/namespaces/uap/pods/backup-ctl-0/exec?command=sh&command=-c&command=a+b+%26+c"
    assert api.asked == [f"{path}&stdin=false&stdout=true&stderr=true"]


def test_input_reaches_the_command(api: Api) -> None:
    def echoes(stream: ServerConnection) -> None:
        said = stream.recv()
        assert isinstance(said, bytes)
        says(b"\x01" + said[1:])(stream)

    api.does = echoes

    assert api.exec("cat", stdin="pässword\n").stdout == "pässword\n"


@pytest.mark.parametrize(
    ("status", "kind", "said"),
    [
        (404, NotFoundError, r'^uap/backup-ctl-0: exec: 127.0.0.1: Kubernetes API: pods "backup-ctl-0" not found'),
        (401, HostError, r"^uap/backup-ctl-0: exec: 127.0.0.1: Kubernetes API: HTTP 401: "),
        (403, HostError, r"^uap/backup-ctl-0: exec: 127.0.0.1: Kubernetes API: HTTP 403: "),
        (500, KubeUnavailableError, r"^uap/backup-ctl-0: exec: no API server answered: 127.0.0.1: Kubernetes API: HTTP 500: "),
        (503, KubeUnavailableError, r"^uap/backup-ctl-0: exec: no API server answered: 127.0.0.1: Kubernetes API: HTTP 503: "),
    ],
)
def test_a_refused_handshake_is_what_any_answer_of_that_status_is(api: Api, status: int, kind: type[Exception], said: str) -> None:
    api.refuses = (status, 'pods "backup-ctl-0" not found')

    with pytest.raises(kind, match=said) as refused:
        api.exec("true")
    assert type(refused.value) is kind


@pytest.mark.parametrize(
    "does",
    [lambda _: None, lambda stream: stream.socket.shutdown(socket.SHUT_RDWR), says(status={"status": "Failure", "message": "lost"})],
    ids=["closed", "hung up", "no exit code"],
)
def test_an_end_without_an_exit_code_is_no_success(api: Api, does: Callable[[ServerConnection], None]) -> None:
    api.does = does

    with pytest.raises(ExecBrokenError, match=r"^uap/backup-ctl-0: the exec.*\[exec-broken\]$"):
        api.exec("true")


def test_a_command_that_takes_too_long_is_left(api: Api) -> None:
    over = threading.Event()

    def goes_on(_stream: ServerConnection) -> None:
        over.wait(20)

    api.does = goes_on

    with pytest.raises(DeadlineExceededError, match=r"uap/backup-ctl-0: exec not done within 0.2 s \[exec-timeout\]"):
        api.exec("sleep", "9", timeout_s=0.2)
    over.set()


def test_a_server_that_accepts_and_says_nothing_is_not_waited_for_for_ever(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kube_exec, "CALL_TIMEOUT_S", (0.2, 0.2))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        kube = KubeCluster(api.credentials, ("127.0.0.1",), silent.getsockname()[1])

        with pytest.raises(KubeUnavailableError, match=r"uap/backup-ctl-0: exec: no API server answered: 127.0.0.1: TimeoutError"):
            kube.exec("uap", "backup-ctl-0", ["true"])
