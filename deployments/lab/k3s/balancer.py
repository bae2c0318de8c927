"""The agent's way to the API: 127.0.0.1:6444, forwarded to any server that lives."""

import asyncio
import socket
import threading
import time
from collections.abc import Coroutine
from typing import Any

from . import journal
from .api import ApiError, KubeApi
from .errors import StartError, UnreachableError
from .servers import ServerList, addresses_of

PORT = 6444
_DIAL_S = 3
_RETRY_S = 2
# A switched-off server says no goodbye: its connections are given up after about ten seconds of silence.
_SILENCE = {
    socket.TCP_KEEPIDLE: 4,
    socket.TCP_KEEPINTVL: 2,
    socket.TCP_KEEPCNT: 3,
    socket.TCP_USER_TIMEOUT: 10_000,
}
_KUBERNETES = "/api/v1/namespaces/default/endpoints?watch=1&timeoutSeconds=50&fieldSelector=metadata.name%3Dkubernetes"


class Balancer:
    """A TCP forwarder in a thread of its own. Each connection stays with the server it was dialled to."""

    def __init__(self, servers: ServerList) -> None:
        self._servers = servers
        self._loop = asyncio.new_event_loop()
        self._connections: dict[asyncio.StreamWriter, str] = {}

    def start(self) -> None:
        """Listen; connections are served from now on."""
        try:
            self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", PORT))
        except OSError as error:
            raise StartError(f"the load balancer can't listen on 127.0.0.1:{PORT}: {error}") from error
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        journal.info(f"Running load balancer 127.0.0.1:{PORT} -> {self._servers.candidates()}")

    def follow(self, api: KubeApi) -> None:
        """From now on the servers are those that the cluster's `kubernetes` endpoints name."""
        threading.Thread(target=self._follow, args=(api,), daemon=True).start()

    def _follow(self, api: KubeApi) -> None:
        while True:
            try:
                for event in api.watch(_KUBERNETES):
                    self._loop.call_soon_threadsafe(self._update, addresses_of(event["object"]))
            except (ApiError, UnreachableError) as error:
                journal.warning(f"load balancer: can't watch the servers: {error}")
            time.sleep(_RETRY_S)

    def _update(self, addresses: list[str]) -> None:
        before = self._servers.candidates()
        gone = self._servers.update(addresses)
        if self._servers.candidates() != before:
            journal.info(f"Updating load balancer server addresses -> {self._servers.candidates()}")
        for writer, address in list(self._connections.items()):
            if address in gone:
                writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            address, up_reader, up_writer = await self._dial()
        except UnreachableError as error:
            journal.warning(str(error))
            writer.transport.abort()
            return
        self._connections[up_writer] = address
        try:
            await _until_first([_copy(reader, up_writer), _copy(up_reader, writer)])
        finally:
            del self._connections[up_writer]
            up_writer.transport.abort()
            writer.close()

    async def _dial(self) -> tuple[str, asyncio.StreamReader, asyncio.StreamWriter]:
        for address in self._servers.candidates():
            host, _, port = address.rpartition(":")
            try:
                reader, writer = await asyncio.wait_for(asyncio.open_connection(host, int(port)), _DIAL_S)
            except (OSError, TimeoutError):
                continue
            _detect_silence(writer.get_extra_info("socket"))
            self._servers.prefer(address)
            return address, reader, writer
        raise UnreachableError(f"load balancer: no server answers: {self._servers.candidates()}")


def _detect_silence(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in _SILENCE.items():
        connection.setsockopt(socket.IPPROTO_TCP, option, value)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass  # either side is gone; the other one is closed next


async def _until_first(copies: list[Coroutine[Any, Any, None]]) -> None:
    tasks = [asyncio.ensure_future(copy) for copy in copies]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
