"""An sshd in this process: paramiko's server, which speaks the real protocol and runs commands with a real login shell.

Who may log in, how often, and what it forwards is set by the test. What is odd in real sshds is in tests/ssh.
"""

from __future__ import annotations

import contextlib
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import paramiko

LOOPBACK = "127.0.0.1"
CHUNK = 2**15


@dataclass
class Sshd(paramiko.ServerInterface):
    """Its settings, and what it has seen."""

    accepted: list[paramiko.PKey] = field(default_factory=list)
    password: str = ""
    shell: tuple[str, ...] = ("/bin/sh", "-c")
    host_key: paramiko.PKey = field(default_factory=paramiko.ECDSAKey.generate)
    signatures: bool = True
    """Whether it says by which signatures it can be convinced, as OpenSSH does since 7.2."""
    forwards: bool = True
    attempts: int = 6
    """After so many keys that it does not accept, it ends the login, as sshd by MaxAuthTries."""
    sessions: int = 10
    commands: list[str] = field(default_factory=list)
    logins: int = 0
    open_now: int = 0
    most_at_once: int = 0
    port: int = 0
    transports: list[paramiko.Transport] = field(default_factory=list)
    forwarded: dict[int, socket.socket] = field(default_factory=dict)
    counting: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def listening(self) -> Iterator[Sshd]:
        with socket.create_server((LOOPBACK, 0)) as server:
            self.port = server.getsockname()[1]
            threading.Thread(target=self._accept, args=(server,), daemon=True).start()
            try:
                yield self
            finally:
                server.shutdown(socket.SHUT_RDWR)
                self.cut()

    def cut(self) -> None:
        """Every connection ends."""
        while self.transports:
            self.transports.pop().close()

    @property
    def known_hosts_line(self) -> str:
        return f"[{LOOPBACK}]:{self.port} {self.host_key.get_name()} {self.host_key.get_base64()}"

    # What paramiko asks a server.

    def get_allowed_auths(self, username: str) -> str:
        return "publickey,password" if self.password else "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        if key in self.accepted:
            return paramiko.AUTH_SUCCESSFUL
        self.attempts -= 1
        if self.attempts == 0:
            self.cut()
        return paramiko.AUTH_FAILED

    def check_auth_password(self, username: str, password: str) -> int:
        return paramiko.AUTH_SUCCESSFUL if password == self.password else paramiko.AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        with self.counting:
            if self.open_now >= self.sessions:
                return paramiko.OPEN_FAILED_CONNECT_FAILED
            self.open_now += 1
            self.most_at_once = max(self.most_at_once, self.open_now)
        return paramiko.OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        self.commands.append(command.decode())
        threading.Thread(target=self._run, args=(channel, command.decode()), daemon=True).start()
        return True

    def check_channel_direct_tcpip_request(self, chanid: int, origin: Any, destination: Any) -> int:
        if not self.forwards:
            return paramiko.OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED
        through = self.transports[-1]  # the way may lead back here, and then has a transport of its own as soon as it is made
        try:
            there = socket.create_connection(destination, 5)
        except OSError:
            return paramiko.OPEN_FAILED_CONNECT_FAILED
        there.settimeout(None)  # a way on which nothing is said for a while stays
        self.forwarded[chanid] = there
        threading.Thread(target=self._forward, args=(through,), daemon=True).start()
        return paramiko.OPEN_SUCCEEDED

    def _accept(self, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = server.accept()
                transport = paramiko.Transport(client, server_sig_algs=self.signatures)
                transport.add_server_key(self.host_key)
                self.logins += 1
                self.transports.append(transport)
                with contextlib.suppress(paramiko.SSHException, EOFError):
                    transport.start_server(server=self, event=threading.Event())

    def _run(self, channel: paramiko.Channel, command: str) -> None:
        asked = [*self.shell, command]
        pipe = subprocess.PIPE
        with contextlib.suppress(OSError, EOFError), subprocess.Popen(asked, stdin=pipe, stdout=pipe, stderr=pipe, bufsize=0) as process:
            assert process.stdin and process.stdout and process.stderr
            out = threading.Thread(target=_copy, args=(process.stdout.read, channel.sendall))
            err = threading.Thread(target=_copy, args=(process.stderr.read, channel.sendall_stderr))
            given = threading.Thread(target=_give, args=(channel, process.stdin))
            for thread in (out, err, given):
                thread.start()
            out.join()
            err.join()
            if process.wait() >= 0:  # sshd has another message for what a signal has ended
                channel.send_exit_status(process.returncode)
            self._end(channel)  # whether or not all was read that it was given
            given.join()
        self._end(channel)

    def _end(self, channel: paramiko.Channel) -> None:
        if not channel.closed:
            with self.counting:
                self.open_now -= 1
            channel.close()

    def _forward(self, through: paramiko.Transport) -> None:
        channel = through.accept(5)
        if channel is not None:
            with self.forwarded.pop(channel.chanid) as there:
                threading.Thread(target=_copy, args=(there.recv, channel.sendall), daemon=True).start()
                _copy(channel.recv, there.sendall)


def _give(channel: paramiko.Channel, stdin: Any) -> None:
    with contextlib.suppress(OSError), stdin:
        _copy(channel.recv, stdin.write)


def _copy(read: Any, write: Any) -> None:
    with contextlib.suppress(OSError, EOFError):
        while more := read(CHUNK):
            write(more)
