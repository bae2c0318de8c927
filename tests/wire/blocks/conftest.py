"""Logins against an sshd in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import paramiko
import pytest
from pydantic import SecretStr

from blocks.ssh import SshHost
from blocks.ssh_fleet import SshFleet
from configs.base import SecretRef
from configs.hosts import Source
from configs.ssh import Access
from tests.fakes.sshd import LOOPBACK, Sshd

PASSWORD = SecretRef(env="PASSWORD")
Login = Callable[..., AbstractContextManager[SshHost]]


@pytest.fixture(autouse=True)
def no_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)


@pytest.fixture
def key(tmp_path: Path) -> paramiko.PKey:
    """Of the login; its file is `key` in the test's folder."""
    made = paramiko.ECDSAKey.generate()
    made.write_private_key_file(str(tmp_path / "key"))
    return made


@pytest.fixture
def sshd(key: paramiko.PKey) -> Iterator[Sshd]:
    with Sshd([key]).listening() as serving:
        yield serving


@pytest.fixture
def login(sshd: Sshd, tmp_path: Path) -> Login:
    """A machine behind `sshd`, with these settings; PASSWORD refers to `secret`."""

    @contextmanager
    def logging_in(*, known: str | None = None, secret: str = "", **ssh: Any) -> Iterator[SshHost]:
        path = tmp_path / "known_hosts"
        path.write_text(known if known is not None else sshd.known_hosts_line + "\n")
        access = Access.model_validate({"port": sshd.port, "key": tmp_path / "key", **ssh})
        machine = Source(name="vm-1", address=IPv4Address(LOOPBACK))
        fleet = SshFleet(access={"vm-1": access}, known_hosts=path)
        with fleet.hosts((machine,), {PASSWORD: SecretStr(secret)}) as hosts:
            yield hosts["vm-1"]

    return logging_in
