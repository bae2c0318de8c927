"""Machines for benchmarks: a real sshd per loopback address, each with its own host key, and each in its own processes' view.

The process namespace is what makes them machines: else every one of them would find the commands of all others at work. Root only.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

FIRST = IPv4Address("127.77.0.1")
PORTS = range(22400, 22500)
READY_S = 120
USER = "root"
# No limit of sshd's own may be what is measured.
CONFIG = """
Port {port}
AuthorizedKeysFile {folder}/key.pub
PidFile none
UsePAM no
UseDNS no
StrictModes no
PasswordAuthentication no
PermitRootLogin prohibit-password
MaxStartups 1000
MaxSessions 100
LogLevel QUIET
"""


@dataclass(frozen=True)
class Endpoints:
    """Where they listen, and what a client needs. `folder` has key and known_hosts."""

    folder: Path
    port: int
    addresses: tuple[str, ...]

    @property
    def key(self) -> Path:
        return self.folder / "key"

    @property
    def known_hosts(self) -> Path:
        return self.folder / "known_hosts"


@contextmanager
def serving(count: int) -> Iterator[Endpoints]:
    """So many endpoints; all of their processes end with the context, and with this process."""
    sshd = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/usr/bin")
    if sshd is None or os.geteuid() != 0:
        raise SystemExit("a benchmark of SSH needs root, and sshd: apt-get install openssh-server")
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # where its processes without privileges live
    with tempfile.TemporaryDirectory(prefix="evenkeel-bench-") as name:
        made = _furnished(Path(name), count)
        started = [_start(sshd, made, address) for address in made.addresses]
        try:
            for address in made.addresses:
                _await(address, made.port)
            yield made
        finally:
            for process in started:
                process.send_signal(signal.SIGKILL)
            for process in started:
                process.wait()


def _furnished(folder: Path, count: int) -> Endpoints:
    made = Endpoints(folder, _free_port(), tuple(str(FIRST + number) for number in range(count)))
    _write_key(made.key)
    lines = [f"[{address}]:{made.port} {_write_key(folder / address)}\n" for address in made.addresses]
    made.known_hosts.write_text("".join(lines))
    (folder / "sshd_config").write_text(CONFIG.format(port=made.port, folder=folder))
    return made


def _write_key(path: Path) -> str:
    """The public key, which is beside it, too."""
    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    path.touch(0o600)
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    Path(f"{path}.pub").write_text(public + "\n")
    return public


def _free_port() -> int:
    for port in PORTS:
        try:
            socket.create_server((str(FIRST), port)).close()
        except OSError:
            continue
        return port
    raise SystemExit(f"no free port on {FIRST}")


def _start(sshd: str, made: Endpoints, address: str) -> subprocess.Popen[bytes]:
    apart = ("setpriv", "--pdeathsig", "KILL", "unshare", "--pid", "--fork", "--mount-proc", "--kill-child")
    words = (sshd, "-D", "-f", made.folder / "sshd_config", "-h", made.folder / address, "-o", f"ListenAddress={address}")
    return subprocess.Popen([*apart, *words], stdin=subprocess.DEVNULL, start_new_session=True)


def _await(address: str, port: int) -> None:
    deadline = time.monotonic() + READY_S
    while True:
        try:
            socket.create_connection((address, port), 1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise SystemExit(f"no sshd on {address} within {READY_S} s") from None
            time.sleep(0.05)
        else:
            return
