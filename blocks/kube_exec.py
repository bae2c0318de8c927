"""A command in a pod, over a websocket to one of the API's servers."""

from __future__ import annotations

from typing import Any

import websocket
from kubernetes import client as kube
from kubernetes.stream import stream

from blocks.errors import DeadlineExceededError, ExecBrokenError
from blocks.kube_servers import KubeServers
from blocks.ports import ExecResult


def run_in_pod(
    servers: KubeServers, namespace: str, pod: str, argv: list[str], *, stdin: str = "", timeout_s: float = 60
) -> ExecResult:
    """See ports.KubeApi. The protocol has no end of input: the command must not wait for one.

    Once begun it is begun on no other server: what breaks may still run in the pod.
    """

    def attach(api: kube.ApiClient) -> Any:
        # The client library swaps the ApiClient's transport while it streams: an own one keeps other threads' calls whole.
        own = kube.CoreV1Api(kube.ApiClient(api.configuration))
        return stream(
            own.connect_get_namespaced_pod_exec,
            pod,
            namespace,
            command=argv,
            stdin=bool(stdin),
            stdout=True,
            stderr=True,
            tty=False,
            _preload_content=False,
        )

    where = f"{namespace}/{pod}"
    socket = servers.on_any(attach)
    try:
        if stdin:
            socket.write_stdin(stdin)
        socket.run_forever(timeout=timeout_s)
        if socket.is_open():
            socket.close()
            raise DeadlineExceededError(f"{where}: exec not done within {timeout_s:g} s", id="exec-timeout")
        return ExecResult(_return_code(socket, where), socket.read_stdout(), socket.read_stderr())
    except (websocket.WebSocketException, OSError) as error:
        raise ExecBrokenError(f"{where}: the exec's connection broke: {error or type(error).__name__}") from error


def _return_code(socket: Any, where: str) -> int:
    """The command's exit code. A connection that broke in the middle brings none, which must not pass for success."""
    try:
        return int(socket.returncode)
    except (TypeError, KeyError) as error:
        raise ExecBrokenError(f"{where}: the exec's connection broke before the command ended") from error
