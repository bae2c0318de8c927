"""A command in a pod, over a websocket to one of the API's servers.

Not by the client library's own stream: that one opens its connection without a timeout, and hides the server's answer to
the handshake in a text.
"""

from __future__ import annotations

import json
import socket
import ssl
import time
from urllib.parse import quote, urlencode, urlsplit

import websocket
from kubernetes import client as kube

from blocks.errors import DeadlineExceededError, ExecBrokenError, KubeUnavailableError
from blocks.kube_servers import CALL_TIMEOUT_S, KubeServers, refusal
from blocks.ports import ExecResult
from configs.errors import EvenkeelError

PROTOCOL = "v4.channel.k8s.io"  # every message begins with its channel's number
STDIN, STDOUT, STDERR, STATUS = range(4)
DATA = (websocket.ABNF.OPCODE_TEXT, websocket.ABNF.OPCODE_BINARY)


def run_in_pod(
    servers: KubeServers, namespace: str, pod: str, argv: list[str], *, stdin: str = "", timeout_s: float = 60
) -> ExecResult:
    """See ports.KubeApi. The protocol has no end of input: the command must not wait for one.

    Once begun it is begun on no other server: what breaks may still run in the pod.
    """
    where = f"{namespace}/{pod}"
    streams = [("stdin", str(bool(stdin)).lower()), ("stdout", "true"), ("stderr", "true")]
    query = urlencode([*(("command", word) for word in argv), *streams])
    path = f"/api/v1/namespaces/{quote(namespace)}/pods/{quote(pod)}/exec?{query}"
    try:
        stream = servers.on_any(lambda api: _opened(api.configuration, path))
    except EvenkeelError as error:
        error.within(f"{where}: exec")
        raise
    try:
        if stdin:
            stream.send(bytes([STDIN]) + stdin.encode(), opcode=websocket.ABNF.OPCODE_BINARY)
        said = _heard(stream, time.monotonic() + timeout_s)
    except websocket.WebSocketTimeoutException as error:
        raise DeadlineExceededError(f"{where}: exec not done within {timeout_s:g} s", id="exec-timeout") from error
    except (websocket.WebSocketException, OSError) as error:
        raise ExecBrokenError(f"{where}: the exec's connection broke: {str(error) or type(error).__name__}") from error
    finally:
        stream.shutdown()  # type: ignore[no-untyped-call]  # its package says it is typed
    out, err = (said[channel].decode(errors="replace") for channel in (STDOUT, STDERR))
    return ExecResult(_exit_code(said[STATUS], where), out, err)


def _opened(configuration: kube.Configuration, path: str) -> websocket.WebSocket:
    """The websocket to this server. A status that is no upgrade becomes the error that any answer of this status is."""
    url, (connect_s, answer_s) = urlsplit(configuration.host), CALL_TIMEOUT_S
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(configuration.ssl_ca_cert)
    context.load_cert_chain(str(configuration.cert_file), configuration.key_file)
    tcp = socket.create_connection((url.hostname, url.port), timeout=connect_s)
    tcp.settimeout(answer_s)
    tls = context.wrap_socket(tcp, server_hostname=url.hostname)
    try:
        return websocket.create_connection(f"wss://{url.netloc}{path}", socket=tls, timeout=answer_s, subprotocols=[PROTOCOL])
    except websocket.WebSocketBadStatusException as error:
        raise refusal(str(url.hostname), error.status_code, (error.resp_body or b"").decode(errors="replace")) from error
    except websocket.WebSocketException as error:
        raise KubeUnavailableError(f"{url.hostname}: {error}") from error


def _heard(stream: websocket.WebSocket, ends: float) -> dict[int, bytes]:
    """All that was said, by channel, until the server closes; one that hangs up after the status has said everything."""
    said = dict.fromkeys((STDOUT, STDERR, STATUS), b"")
    while True:
        stream.settimeout(max(0.001, ends - time.monotonic()))
        try:
            opcode, data = stream.recv_data(control_frame=True)
        except websocket.WebSocketConnectionClosedException:
            if not said[STATUS]:
                raise
            return said
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            return said
        if opcode in DATA and data:
            said[data[0]] = said.get(data[0], b"") + data[1:]


def _exit_code(status: bytes, where: str) -> int:
    """The command's exit code. An end that brings none must not pass for success: the command may be still at work."""
    try:
        ended = json.loads(status)
        if ended["status"] == "Success":
            return 0
        return int(next(cause["message"] for cause in ended["details"]["causes"] if cause["reason"] == "ExitCode"))
    except (ValueError, KeyError, TypeError, StopIteration) as error:
        said = status.decode(errors="replace")[:200] or "the connection broke before the command ended"
        raise ExecBrokenError(f"{where}: the exec ended without an exit code: {said}") from error
