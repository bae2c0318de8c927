"""Real sshds with odd settings, and users of every kind, in a root file system of their own: nothing of this machine changes.

The root file system is the lab's, or this machine's where that one lacks what is needed. They listen on loopback.
"""

from __future__ import annotations

import itertools
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from blocks.ssh import SshHost
from blocks.ssh_fleet import SshFleet
from configs.base import SecretRef
from configs.hosts import Source
from configs.ssh import Access
from deployments.lab import cache

NEEDED = ("usr/sbin/sshd", "usr/bin/sudo", "usr/bin/fish", "bin/csh")
LOOPBACK = "127.0.0.1"
SETTINGS = (
    *("plain", "one-session", "no-root", "no-forwarding", "sha1-host-key", "old-kex", "two-tries", "no-session", "rsa-host-key", "pam"),
    *("no-sudo", "no-bash", "sha1-key"),
)
"""As odd.sh starts them, one port each."""


def root_file_system() -> Path:
    for root in (cache.ROOTFS, Path("/")):
        if all((root / needed).exists() for needed in NEEDED):
            return root
    return pytest.fail(f"neither {cache.ROOTFS} nor this machine has {', '.join(NEEDED)}: lab up")


def free_ports(count: int) -> int:
    """The first of `count` ports in a row on which nothing listens."""
    for first in range(22200, 30000, count):
        with ExitStack() as stack:
            try:
                for port in range(first, first + count):
                    stack.enter_context(socket.create_server((LOOPBACK, port)))
            except OSError:
                continue
            return first
    return pytest.fail("no free ports")


@dataclass
class Box:
    """Where the sshds run."""

    root: Path
    folder: Path
    first_port: int
    key: Path
    names: Iterator[int] = field(default_factory=itertools.count)

    def port(self, setting: str) -> int:
        return self.first_port + SETTINGS.index(setting)

    def sudo_log(self) -> str:
        return (self.root / "var/log/sudo.log").read_text()

    def public(self, kind: str = "ed25519") -> str:
        return " ".join((self.root / f"etc/ssh/ssh_host_{kind}_key.pub").read_text().split()[:2])

    def known(self, *lines: str) -> Path:
        path = self.folder / f"known_hosts-{next(self.names)}"
        path.write_text("\n".join(lines) + "\n")
        return path

    def all_known(self) -> Path:
        kinds = ("ed25519", "ecdsa", "rsa")
        ports = [f"[{LOOPBACK}]:{self.port(setting)}" for setting in SETTINGS]
        return self.known(*(f"{port} {self.public(kind)}" for port in ports for kind in kinds))

    @contextmanager
    def login(self, setting: str = "plain", *, known: Path | None = None, **ssh: Any) -> Iterator[SshHost]:
        """A machine behind that sshd; secrets are written as they are, and become references here."""
        secrets = dict[SecretRef, SecretStr]()
        access = Access.model_validate(_referring({"key": self.key, "agent": False, **ssh, "port": self.port(setting)}, secrets))
        machine = Source(name="vm-1", address=IPv4Address(LOOPBACK))
        fleet = SshFleet(access={"vm-1": access}, known_hosts=known or self.all_known())
        with fleet.hosts((machine,), secrets) as hosts:
            yield hosts["vm-1"]


def _referring(ssh: dict[str, Any], secrets: dict[SecretRef, SecretStr]) -> dict[str, Any]:
    def replaced(name: str, value: Any) -> Any:
        if name == "jump":
            return [_referring(hop, secrets) for hop in value]
        if name not in ("passphrase", "password", "become_password"):
            return value
        ref = SecretRef(env=f"SECRET_{len(secrets)}")
        secrets[ref] = SecretStr(value)
        return ref

    return {name: replaced(name, value) for name, value in ssh.items()}


@pytest.fixture(scope="session")
def box() -> Iterator[Box]:
    lower = root_file_system()
    folder = Path(tempfile.mkdtemp(dir="/dev/shm", prefix="odd-"))
    root = folder / "root"
    for name in ("upper", "work", "root"):
        (folder / name).mkdir()
    key = folder / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    layers = f"lowerdir={lower},upperdir={folder}/upper,workdir={folder}/work"
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o", layers, root], check=True)
    first = free_ports(len(SETTINGS))
    for name in (f"{key}.pub", str(Path(__file__).with_name("odd.sh"))):
        shutil.copy(name, root / "root")
    inside = f"mount -t proc proc {root}/proc; mount --rbind /dev {root}/dev; exec chroot {root} /root/odd.sh /root/key.pub {first}"
    apart = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "bash", "-c", inside)
    serving = subprocess.Popen(apart, stdout=subprocess.PIPE, text=True, env={"PATH": os.environ["PATH"]})
    try:
        assert serving.stdout is not None
        assert serving.stdout.readline() == "ready\n"
        yield Box(root, folder, first, key)
    finally:
        serving.kill()
        serving.communicate()
        subprocess.run(["umount", "--lazy", root], check=True)
        shutil.rmtree(folder)
