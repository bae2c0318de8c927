"""All machines of a platform by SSH, each in its own way, perhaps through jump hosts that several share."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from threading import BoundedSemaphore

import paramiko
from prefect.blocks.core import Block
from pydantic import SecretStr

from blocks.known_hosts import KnownHosts
from blocks.ssh import SshHost
from blocks.ssh_keys import PassphraseMissingError, private_key
from blocks.ssh_login import Identity, SshLogin
from configs.base import SecretRef
from configs.errors import ConfigError
from configs.hosts import Machine
from configs.ssh import Access, Hop, Login

AGENT = "SSH_AUTH_SOCK"
# Logins of one fleet that are made at once. They share this machine's processors: more of them are not done sooner, only later each,
# and the last ones of 500 at once would come too late for their own deadlines, and for sshd's.
LOGINS_AT_ONCE = 50

log = logging.getLogger(__name__)


class SshFleet(Block):
    """A saved way to reach machines: by name, how each is reached, and the known hosts. It holds no secret, only where they are found."""

    _block_type_name = "SSH fleet"
    _block_type_slug = "ssh-fleet"

    access: dict[str, Access]
    known_hosts: Path
    connect_timeout_s: float = 15

    @contextmanager
    def hosts(self, machines: tuple[Machine, ...], secrets: Mapping[SecretRef, SecretStr]) -> Iterator[dict[str, SshHost]]:
        """The machines by name, not yet connected; all connections end with the context.

        Raises ConfigError for a key or known hosts that can't be read.
        """
        logins = _Logins(_known(self.known_hosts), secrets, self.connect_timeout_s)
        with ExitStack() as stack:
            hosts = {machine.name: logins.host(machine, self.access[machine.name]) for machine in machines}
            for login in logins.jumps.values():
                stack.callback(login.close)
            for host in hosts.values():  # before what they go through
                stack.callback(host.close)
            yield hosts


class _Logins:
    """Makes logins. Machines behind the same jump hosts share the connection to these."""

    def __init__(self, known: KnownHosts, secrets: Mapping[SecretRef, SecretStr], timeout_s: float) -> None:
        self._known, self._secrets, self._timeout_s = known, secrets, timeout_s
        self._turn = BoundedSemaphore(LOGINS_AT_ONCE)
        self._key = cache(private_key)  # a passphrase takes a second to apply
        self.jumps: dict[tuple[Hop, ...], SshLogin] = {}

    def host(self, machine: Machine, access: Access) -> SshHost:
        through = None
        for passed in range(1, len(access.hops) + 1):
            through = self._jump(access.hops[:passed], through)
        login = self._login(machine.name, str(machine.address), access, through)
        password = self._secret(access.become_password) if access.become else None
        return SshHost(machine.name, machine.address, login, become=access.become, password=password)

    def _jump(self, way: tuple[Hop, ...], through: SshLogin | None) -> SshLogin:
        if way not in self.jumps:
            self.jumps[way] = self._login(f"jump host {way[-1].host}", way[-1].host, way[-1], through)
        return self.jumps[way]

    def _login(self, name: str, host: str, login: Login, through: SshLogin | None) -> SshLogin:
        identity = self._identity(login)
        return SshLogin(name, host, login.port, identity, self._known, timeout_s=self._timeout_s, through=through, turn=self._turn)

    def _identity(self, login: Login) -> Identity:
        """An encrypted key without a passphrase may be in an agent: then the agent is asked."""
        agent = login.agent and bool(os.environ.get(AGENT))
        password, lacking, key = self._secret(login.password), "", None
        try:
            key = self._key_of(login)
        except PassphraseMissingError as error:
            if not agent and password is None:
                raise
            lacking = error.message
        if key is None and not agent and password is None:
            raise ConfigError("ssh: there is no key, no ssh-agent runs here, and no password: write ssh.key", id="ssh-no-identity")
        return Identity(login.user, key, agent, password, lacking)

    def _key_of(self, login: Login) -> paramiko.PKey | None:
        if login.key is None:
            return None
        if not login.key.is_file():
            raise ConfigError(f"ssh.key: {login.key}: no such file: write where it is", id="ssh-file-missing")
        return self._key(login.key, self._secret(login.passphrase))

    def _secret(self, ref: SecretRef | None) -> SecretStr | None:
        return self._secrets[ref] if ref is not None else None


def _known(path: Path) -> KnownHosts:
    try:
        known = KnownHosts.read(path)
    except OSError as error:
        raise ConfigError(f"ssh.known_hosts: {path}: {error.strerror}: write where it is", id="ssh-file-missing") from error
    if known.unreadable:
        log.warning("%s: lines %s can't be read and are skipped", path, ", ".join(map(str, known.unreadable)))
    return known
