"""The lab's SSH keys and secrets, made once at random and kept over resets."""

from __future__ import annotations

import json
import os
import secrets
import string
from pathlib import Path

from deployments.lab import cache
from deployments.lab.machines import MACHINES, Machine
from deployments.lab.shell import run

LENGTHS = {"mysql_root": 24, "mysql_wacos": 24, "vrrp": 8, "k3s_token": 32, "k3s_old_token": 32, "ops": 20}
CLIENT_KEY = cache.SSH / "id_ed25519"
KNOWN_HOSTS = cache.SSH / "known_hosts"


def ensure() -> None:
    """The client key, nine host keys, known_hosts and the secrets exist."""
    cache.SSH.mkdir(parents=True, exist_ok=True, mode=0o700)
    _keygen(CLIENT_KEY, "lab")
    for machine in MACHINES:
        _keygen(host_key(machine), machine.name)
    KNOWN_HOSTS.write_text("".join(f"{_place(m)} {_public(host_key(m))}\n" for m in MACHINES))
    _ensure_secrets()


def host_key(machine: Machine) -> Path:
    """Where the machine's private host key lies; its public one lies beside it."""
    return cache.SSH / "hosts" / machine.name


def authorized() -> str:
    """The authorized_keys line of the lab's client key."""
    return _public(CLIENT_KEY) + "\n"


def read_secrets() -> dict[str, str]:
    """All secrets by name."""
    loaded: dict[str, str] = json.loads(cache.SECRETS.read_text())
    return loaded


def _place(machine: Machine) -> str:
    """As ssh-keyscan writes it."""
    return machine.address if machine.ssh_port == 22 else f"[{machine.address}]:{machine.ssh_port}"


def _ensure_secrets() -> None:
    known = read_secrets() if cache.SECRETS.exists() else {}
    missing = [name for name in LENGTHS if name not in known]
    if not missing:
        return
    known |= {name: _random(LENGTHS[name]) for name in missing}
    fresh = cache.SECRETS.with_suffix(".new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as handle:
        json.dump(known, handle, indent=1)
    fresh.replace(cache.SECRETS)


def _random(length: int) -> str:
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(length))


def _keygen(path: Path, comment: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", path)


def _public(path: Path) -> str:
    kind, key = path.with_suffix(".pub").read_text().split()[:2]
    return f"{kind} {key}"
