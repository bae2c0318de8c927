"""SSH to the machines, by fabric. Scripts go over standard input; host keys are always checked."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import paramiko
from fabric import Config, Connection
from prefect.blocks.core import Block

from blocks.errors import CommandFailedError, DeadlineExceededError, HostUnreachableError, RefusedError
from blocks.ports import CommandResult, round_trips
from configs.errors import ConfigError, EvenkeelError
from configs.hosts import Machine

TIMED_OUT = 124  # exit code of coreutils' timeout
NO_EXIT_CODE = -1  # paramiko's word for a channel that ended without one
GRACE_S = 10  # for the machine to kill what is over its time and to say so

DEFAULT_PORT = 22  # known_hosts names any other one beside the address

MARK = "bash -s evenkeel"
ORPHANS_S = 120  # longer than all but the slowest commands; what takes longer is named, and asked for again
# A connection that ends, ends no command on the machine: what a killed run began there may still be at work.
ORPHANS = f"""
for _ in $(seq {ORPHANS_S * 2}); do pgrep -f '^{MARK}' >/dev/null || exit 0; sleep 0.5; done
pgrep -af '^{MARK}' >&2; exit 1
"""


class SshHost:
    """One machine over one SSH connection, shared by all threads; opened at the first use, again after a break."""

    def __init__(self, name: str, address: IPv4Address, connection: Connection) -> None:
        self.name = name
        self.address = address
        self._connection = connection
        self._opening = threading.Lock()

    def run(self, script: str, *, what: str, timeout_s: float = 60, check: bool = True) -> CommandResult:
        """See ports.Host. The deadline also holds on the machine: a cut connection leaves nothing running for ever."""
        noted = round_trips.get()
        if noted is not None:
            noted.append(self.name)
        try:
            result = self._exchange(
                f"timeout --kill-after={GRACE_S} {timeout_s:g} {MARK}", script, timeout_s + 2 * GRACE_S
            )
        except (paramiko.SSHException, OSError, EOFError) as error:
            self._connection.close()
            raise HostUnreachableError(f"{self.name}: {what}: SSH broke: {str(error) or type(error).__name__}") from error
        if result.exit_code == TIMED_OUT:
            raise DeadlineExceededError(
                f"{self.name}: {what}: not done within {timeout_s:g} s, killed there", id="command-timeout"
            )
        if check and result.exit_code != 0:
            raise CommandFailedError(self.name, what, result.exit_code, result.stderr.strip()[-400:])
        return result

    def open(self) -> None:
        """Make the connection usable, with no command of an earlier one at work on the machine any more.

        Raises RefusedError for a changed host key, ConfigError for a refused login, HostUnreachableError while a
        command that a killed run has begun there does not end.
        """
        with self._opening:
            transport = self._connection.transport
            if transport is not None and transport.is_active():
                return
            try:
                self._connection.close()
                self._connection.open()
            except Exception as error:  # a library's families of errors, distinguished in one place
                raise _translated(self.name, self._connection, error) from error
            active = self._connection.transport
            if active is not None:
                active.set_keepalive(15)
                self._outwait_orphans(active)

    def close(self) -> None:
        self._connection.close()

    def _exchange(self, command: str, stdin: str, timeout_s: float) -> CommandResult:
        self.open()
        transport = self._connection.transport
        if transport is None:
            raise paramiko.SSHException("no transport")
        return _talk(transport, command, stdin, timeout_s)

    def _outwait_orphans(self, transport: paramiko.Transport) -> None:
        try:
            left = _talk(transport, "bash -s", ORPHANS, ORPHANS_S + GRACE_S)
        except (paramiko.SSHException, OSError, EOFError) as error:
            raise _translated(self.name, self._connection, error) from error
        if left.exit_code != 0:
            self._connection.close()
            raise HostUnreachableError(
                f"{self.name}: what an earlier run began there is still at work after {ORPHANS_S} s, and nothing is begun "
                f"beside it: {left.stderr.strip()}: wait for it, or see with ps what it does, and kill it",
                id="host-command-left",
            )


def _talk(transport: paramiko.Transport, command: str, stdin: str, timeout_s: float) -> CommandResult:
    channel = transport.open_session(timeout=timeout_s)
    try:
        channel.settimeout(timeout_s)
        channel.exec_command(command)
        # The other direction must be read while this one is written, or a long answer blocks both.
        with ThreadPoolExecutor(2) as pool:
            out = pool.submit(channel.makefile("rb").read)
            err = pool.submit(channel.makefile_stderr("rb").read)
            channel.sendall(stdin.encode())
            channel.shutdown_write()
            stdout, stderr = out.result(), err.result()
        exit_code = channel.recv_exit_status()
        if exit_code == NO_EXIT_CODE:
            raise paramiko.SSHException("the connection ended before the command did")
        return CommandResult(exit_code, stdout.decode(errors="replace"), stderr.decode(errors="replace"))
    finally:
        channel.close()


def _transport(sock: socket.socket, **options: Any) -> paramiko.Transport:
    """A transport that sends at once: Nagle's algorithm against delayed ACKs costs 80 ms in every round trip."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return paramiko.Transport(sock, **options)


def _translated(host: str, connection: Connection, error: Exception) -> EvenkeelError:
    where = f"{host}: opening SSH to {connection.user}@{connection.host}:{connection.port}"
    if isinstance(error, paramiko.BadHostKeyException):
        return RefusedError(
            f"{where}: the host key is not the known one: another machine may answer there; if this one was "
            f"reinstalled: ssh-keygen -R '[{connection.host}]:{connection.port}' and accept its new key",
            id="ssh-host-key-changed",
        )
    if isinstance(error, paramiko.AuthenticationException):
        return ConfigError(
            f"{where}: the key is not accepted: see ssh.user and ssh.key, or ssh-copy-id it there", id="ssh-key-refused"
        )
    if isinstance(error, paramiko.SSHException) and "not found in known_hosts" in str(error):
        return RefusedError(
            f"{where}: its host key is unknown: ssh-keyscan -p {connection.port} {connection.host} >> the file in "
            "ssh.known_hosts, after comparing the fingerprint",
            id="ssh-host-key-unknown",
        )
    if isinstance(error, (paramiko.SSHException, OSError, EOFError)):
        return HostUnreachableError(f"{where}: {str(error) or type(error).__name__}: is it up, and is sshd on this port?")
    return ConfigError(f"{where}: {error}: see ssh.key and ssh.port in the config", id="ssh-not-usable")


class SshFleet(Block):
    """A saved way to reach machines: user, port, key file and known hosts. It holds no secret, only where the key lies."""

    _block_type_name = "SSH fleet"
    _block_type_slug = "ssh-fleet"

    user: str
    port: int
    key: Path
    known_hosts: Path
    connect_timeout_s: float = 15

    @contextmanager
    def hosts(self, machines: tuple[Machine, ...]) -> Iterator[dict[str, SshHost]]:
        """The machines by name, not yet connected; all connections end with the context."""
        for path, setting in ((self.key, "ssh.key"), (self.known_hosts, "ssh.known_hosts")):
            if not path.is_file():
                raise ConfigError(f"{setting}: {path}: no such file: write where it is", id="ssh-file-missing")
        known = paramiko.HostKeys(str(self.known_hosts))  # once: reading takes time that grows with the square of its lines
        hosts = {
            machine.name: SshHost(machine.name, machine.address, self._connection(machine, known)) for machine in machines
        }
        try:
            yield hosts
        finally:
            for host in hosts.values():
                host.close()

    def _connection(self, machine: Machine, known: paramiko.HostKeys) -> Connection:
        connection = Connection(
            str(machine.address),
            user=self.user,
            port=self.port,
            config=Config(overrides={"load_ssh_configs": False}),
            connect_timeout=int(self.connect_timeout_s),
            connect_kwargs={
                "key_filename": str(self.key),
                "allow_agent": True,
                "look_for_keys": False,
                "banner_timeout": self.connect_timeout_s,
                "auth_timeout": self.connect_timeout_s,
                "transport_factory": _transport,
            },
        )
        connection.client.set_missing_host_key_policy(paramiko.RejectPolicy())
        place = connection.host if self.port == DEFAULT_PORT else f"[{connection.host}]:{self.port}"
        for kind, key in (known.lookup(place) or {}).items():
            connection.client.get_host_keys().add(place, kind, key)
        return connection
