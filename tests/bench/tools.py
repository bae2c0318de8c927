"""The tools that are compared: each asks every endpoint the same script once, by cold connections, as one whole process."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tasks.machine.facts import fact_script
from tests.bench.endpoints import USER, Endpoints
from tests.bench.ours import platform_of

VERSIONS = {"ansible-core": "2.19.14", "pyinfra": "3.10.0"}
CACHE = Path(os.environ.get("BENCH_CACHE") or Path.home() / ".cache" / "evenkeel-bench")
FORKS = 50
PLAYBOOK = """
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.raw: {command}
"""


@dataclass(frozen=True)
class Tool:
    """How it is called, and in which environment."""

    name: str
    words: tuple[str | Path, ...]
    env: dict[str, str]
    shows: tuple[str, int] = ("", 0)
    """What it prints of every machine's answer, and how often at least; ours look themselves."""


def installed() -> Path:
    """The folder of programs of a virtual environment with the pinned versions; it is made once, and is not the project's."""
    venv = CACHE / "-".join(f"{name}-{version}" for name, version in sorted(VERSIONS.items()))
    if not (venv / "ready").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", venv], check=True)
        pinned = [f"{name}=={version}" for name, version in VERSIONS.items()]
        subprocess.run([venv / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *pinned], check=True)
        (venv / "ready").touch()
    return venv / "bin"


def tools(endpoints: Endpoints, count: int, programs: Path, api: str) -> list[Tool]:
    """All of them, for the first `count` endpoints; ours in a flow reports to Prefect's server at `api`."""
    folder = endpoints.folder / str(count)
    folder.mkdir(exist_ok=True)
    addresses = endpoints.addresses[:count]
    fleet = folder / "fleet.json"
    asked = {"addresses": addresses, "port": endpoints.port, "key": str(endpoints.key), "known_hosts": str(endpoints.known_hosts)}
    fleet.write_text(json.dumps(asked))
    script = fact_script(platform_of(addresses), addresses[0])
    command = f"echo {base64.b64encode(script.encode()).decode()} | base64 -d | bash"  # no tool may read braces or quotes in it
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "ANSIBLE_"))}
    flow = {**env, "PREFECT_API_URL": api, "PREFECT_HOME": str(endpoints.folder / "prefect"), "PREFECT_LOGGING_LEVEL": "WARNING"}
    answers = ("--fact-", count)
    ours = (sys.executable, "-m", "tests.bench.ours")
    return [
        Tool("raw", (*ours, "raw", fleet), env),
        Tool("flow", (*ours, "flow", fleet), flow),
        Tool("ansible", _ansible(folder, endpoints, addresses, programs, command), env | _ansible_settings(folder, endpoints), answers),
        Tool("pyinfra", _pyinfra(folder, endpoints, addresses, programs, command), env, answers),
    ]


def _ansible(folder: Path, endpoints: Endpoints, addresses: tuple[str, ...], programs: Path, command: str) -> tuple[str | Path, ...]:
    hosts, play = folder / "hosts.ini", folder / "play.yaml"
    rest = f"ansible_user={USER} ansible_port={endpoints.port} ansible_ssh_private_key_file={endpoints.key}"
    hosts.write_text("".join(f"{address} {rest} ansible_python_interpreter=/usr/bin/python3\n" for address in addresses))
    play.write_text(PLAYBOOK.format(command=json.dumps(command)))
    return (programs / "ansible-playbook", "--inventory", hosts, "--forks", str(FORKS), play)


def _ansible_settings(folder: Path, endpoints: Endpoints) -> dict[str, str]:
    return {
        "ANSIBLE_HOME": str(folder / "ansible"),
        "ANSIBLE_PIPELINING": "true",
        "ANSIBLE_SSH_COMMON_ARGS": f"-o UserKnownHostsFile={endpoints.known_hosts} -o StrictHostKeyChecking=yes",
        "ANSIBLE_STDOUT_CALLBACK": "minimal",
    }


def _pyinfra(folder: Path, endpoints: Endpoints, addresses: tuple[str, ...], programs: Path, command: str) -> tuple[str | Path, ...]:
    inventory = folder / "inventory.py"
    data = {
        "ssh_user": USER,
        "ssh_port": endpoints.port,
        "ssh_key": str(endpoints.key),
        "ssh_known_hosts_file": str(endpoints.known_hosts),
        "ssh_strict_host_key_checking": "yes",
    }
    inventory.write_text(f"machines = {[(address, data) for address in addresses]!r}\n")
    return (programs / "pyinfra", "--yes", inventory, "exec", "--", command)
