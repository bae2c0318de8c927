"""One login by SSH, perhaps through another one: opened once, its host key checked, and why it could not be opened."""

from __future__ import annotations

import socket
import threading
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from typing import Any

import paramiko
from fabric import Config, Connection
from pydantic import SecretStr

from blocks.errors import HostUnreachableError, RefusedError
from blocks.known_hosts import KnownHosts, Verdict
from configs.errors import ConfigError, EvenkeelError

FORBIDDEN = 1  # RFC 4254, 5.1: administratively prohibited
ALIVE_S = 15
PARTS = {"kex": "kex_algo_list", "host key": "server_key_algo_list", "ciphers": "server_encrypt_algo_list", "macs": "server_mac_algo_list"}


@dataclass(frozen=True)
class Identity:
    """By what a user logs in, all of it resolved."""

    user: str
    key: paramiko.PKey | None = None
    agent: bool = True
    password: SecretStr | None = None
    lacking: str = ""
    """Why a key of the config can't be used."""

    @property
    def tried(self) -> str:
        """What a login by it tries, for a message."""
        key = f"the key ({self.key.fingerprint})" if self.key is not None else ""
        return ", ".join(filter(None, [key, "the agent's keys" if self.agent else "", "the password" if self.password else ""]))


class SshLogin:
    """A connection, shared by all threads and, on a jump host, by all machines behind it; opened at the first use, again after a break."""

    def __init__(
        self,
        name: str,
        host: str,
        port: int,
        identity: Identity,
        known: KnownHosts,
        *,
        timeout_s: float,
        through: SshLogin | None = None,
        turn: AbstractContextManager[object] | None = None,
    ) -> None:
        self.name, self._identity, self._known, self._through = name, identity, known, through
        self._turn = turn or nullcontext()
        self._opening = threading.Lock()
        self._connection: Connection = Connection(
            host,
            user=identity.user,
            port=port,
            gateway=through._connection if through is not None else None,
            config=Config(overrides={"load_ssh_configs": False}),
            connect_timeout=int(timeout_s),
            connect_kwargs={
                "pkey": identity.key,
                "password": identity.password.get_secret_value() if identity.password else None,
                "allow_agent": identity.agent,
                "look_for_keys": False,
                "banner_timeout": timeout_s,
                "auth_timeout": timeout_s,
                "channel_timeout": timeout_s,
                "transport_factory": self._transport,
            },
        )
        self._connection.client.set_missing_host_key_policy(_Checked(self))

    def open(self) -> tuple[paramiko.Transport, bool]:
        """The connection, usable, and whether it is a new one.

        Raises RefusedError for a host key that is not the known one, ConfigError for a refused login, HostUnreachableError.
        """
        with self._opening:
            transport = self._connection.transport
            if transport is not None and transport.is_active():
                return transport, False
            self.close()
            if self._through is not None:
                self._open_the_way(self._through)
            try:
                with self._turn:
                    self._connection.open()
            except Exception as error:  # a library's families of errors, distinguished in one place
                why = self.translated(error)
                self.close()
                raise why from error
            transport = self._connection.transport
            transport.set_keepalive(ALIVE_S)
            return transport, True

    def close(self) -> None:
        with suppress(paramiko.SSHException, OSError, EOFError):  # what goes through a jump host that is gone can't say goodbye
            self._connection.client.close()

    def translated(self, error: Exception) -> EvenkeelError:
        """What a library's error means, and what to type."""
        connection = self._connection
        where = f"{self.name}: opening SSH to {connection.user}@{connection.host}:{connection.port}"
        if isinstance(error, EvenkeelError):
            return error
        if isinstance(error, paramiko.AuthenticationException):
            return self._refused(where, error)
        if isinstance(error, paramiko.ChannelException):
            return self._not_forwarded(where, error)
        if isinstance(error, paramiko.ssh_exception.IncompatiblePeer):
            return self._incompatible(where, error)
        if isinstance(error, paramiko.SSHException) and "No existing session" in str(error):  # ended amid the attempts
            return self._refused(where, error)
        if isinstance(error, (paramiko.SSHException, OSError, EOFError)):
            return HostUnreachableError(f"{where}: {str(error) or type(error).__name__}: is it up, and is sshd on this port?")
        return ConfigError(f"{where}: {error}: see ssh.key and ssh.port in the config", id="ssh-not-usable")

    def check(self, key: paramiko.PKey) -> None:
        """Raises RefusedError unless the host key that is presented is known."""
        host, port = self._connection.host, self._connection.port
        verdict = self._known.verdict(host, port, key.asbytes())
        if verdict is Verdict.KNOWN:
            return
        shown = f"{key.get_name()} {key.fingerprint}"
        where, place = f"{self.name}: opening SSH to {self._connection.user}@{host}:{port}", host if port == 22 else f"'[{host}]:{port}'"
        scan = f"ssh-keyscan -p {port} {host} >> {self._known.path}, after comparing the fingerprint"
        if verdict is Verdict.CHANGED:
            raise RefusedError(
                f"{where}: the host key is not the known one: another machine may answer there (it has {shown}); if this one was "
                f"reinstalled: ssh-keygen -R {place} -f {self._known.path} and accept its new key",
                id="ssh-host-key-changed",
            )
        if verdict is Verdict.REVOKED:
            raise RefusedError(
                f"{where}: its host key {shown} is revoked by a line @revoked of {self._known.path}: have the machine's keys made anew",
                id="ssh-host-key-revoked",
            )
        if verdict is Verdict.AUTHORITY:
            raise RefusedError(
                f"{where}: {self._known.path} knows it by @cert-authority only, and certificates of hosts are not read here: add its "
                f"key {shown}, too: {scan}",
                id="ssh-host-key-by-authority",
            )
        skipped = f"; lines {', '.join(map(str, self._known.unreadable))} there can't be read" if self._known.unreadable else ""
        raise RefusedError(f"{where}: its host key {shown} is unknown{skipped}: {scan}", id="ssh-host-key-unknown")

    def _open_the_way(self, through: SshLogin) -> None:
        try:
            through.open()
        except EvenkeelError as error:
            error.within(self.name)
            raise

    def _transport(self, sock: Any, **options: Any) -> paramiko.Transport:
        return transport_on(sock, self._known.kinds(self._connection.host, self._connection.port), **options)

    def _refused(self, where: str, error: Exception) -> ConfigError:
        identity, transport = self._identity, self._connection.client.get_transport()
        if identity.lacking and identity.password is None:
            return ConfigError(f"{where}: {identity.lacking}", id="ssh-passphrase-missing")
        # sshd says since 7.2 by which signatures it can be convinced; before, an RSA key had SHA-1 only.
        signatures = getattr(transport, "server_extensions", {}).get("server-sig-algs", b"")
        if isinstance(identity.key, paramiko.RSAKey) and b"rsa-sha2" not in signatures:
            return ConfigError(
                f"{where}: {getattr(transport, 'remote_version', 'sshd')} takes RSA keys by SHA-1 signatures only, which are not made "
                "any more: ssh-keygen -t ed25519, ssh-copy-id it there, and write it as ssh.key",
                id="ssh-rsa-sha1",
            )
        if "transport shut down" in str(error) or "No existing session" in str(error):
            return ConfigError(
                f"{where}: sshd ended the login before all was tried ({identity.tried}): its MaxAuthTries, or fewer keys in the agent: "
                "ssh.agent: false",
                id="ssh-too-many-keys",
            )
        if identity.password is not None:
            return ConfigError(
                f"{where}: refused, {error}: tried {identity.tried}: see ssh.user, ssh.key, ssh.password", id="ssh-password-refused"
            )
        return ConfigError(
            f"{where}: the key is not accepted: tried {identity.tried or 'nothing'}: see ssh.user and ssh.key, or ssh-copy-id it there",
            id="ssh-key-refused",
        )

    def _not_forwarded(self, where: str, error: paramiko.ChannelException) -> EvenkeelError:
        jump = self._through.name if self._through is not None else "sshd"
        if error.code == FORBIDDEN:
            return ConfigError(
                f"{where}: {jump} does not forward connections there: {error.text}: see AllowTcpForwarding and PermitOpen of its "
                "sshd_config",
                id="ssh-jump-forbidden",
            )
        return HostUnreachableError(f"{where}: {jump} can't connect to it: {error.text}: is it up, and is sshd on this port?")

    def _incompatible(self, where: str, error: Exception) -> ConfigError:
        offered = getattr(self._connection.client.get_transport(), "offered", {})
        part = next((part for part in PARTS if part in str(error)), "kex")
        return ConfigError(
            f"{where}: its sshd speaks none of the algorithms that are safe ({part}): it offers "
            f"{', '.join(offered.get(PARTS[part], [])) or 'nothing'}: allow a newer one in its sshd_config, or upgrade openssh-server "
            "there",
            id="ssh-algorithms-too-old",
        )


class _Checked(paramiko.MissingHostKeyPolicy):
    """Asks our own file: the client itself knows no host."""

    def __init__(self, login: SshLogin) -> None:
        self._login = login

    def missing_host_key(self, _client: paramiko.SSHClient, _hostname: str, key: paramiko.PKey) -> None:
        self._login.check(key)


class Transport(paramiko.Transport):
    """Keeps what the other side offers, so that a message can name it; paramiko has no public way to it."""

    offered: Mapping[str, list[str]] = {}
    _active_check_timeout = 1.0
    """How often its thread looks whether it is closed, and whether to say that it is alive: ten times a second, as paramiko has it,
    costs a fleet of 500 machines a sixth of a core while it waits."""

    def _really_parse_kex_init(self, m: Any, ignore_first_byte: bool = False) -> Any:
        self.offered = super()._really_parse_kex_init(m, ignore_first_byte)  # type: ignore[misc]  # untyped
        return {name: list(value) if isinstance(value, list) else value for name, value in self.offered.items()}


def transport_on(sock: Any, kinds: list[str], **options: Any) -> paramiko.Transport:
    """A transport that asks for the known kinds of host keys first, and sends at once.

    Nagle's algorithm against delayed ACKs costs 80 ms in every round trip; a channel through a jump host has none.
    """
    if isinstance(sock, socket.socket):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    transport = Transport(sock, **options)
    security = transport.get_security_options()
    known = {name for kind in kinds for name in (("rsa-sha2-512", "rsa-sha2-256") if kind == "ssh-rsa" else (kind,))}
    security.key_types = sorted(security.key_types, key=lambda name: name not in known)
    return transport
