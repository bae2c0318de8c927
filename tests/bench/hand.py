"""The move by hand: how its script reaches the lab's machines, and what it says of its phases."""

from __future__ import annotations

import re
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from configs.hosts import Machine
from configs.platform import Platform
from tests.bench.measure import FailedError
from tests.bench.moves import Move

SCRIPT = Path(__file__).with_name("by_hand.sh")
MOST_S = 3600
SAID = re.compile(r"(\w+) (\w+) ([0-9]+\.[0-9]{3})")


def move_by_hand(platform: Platform, env: Mapping[str, str], log: Path) -> Move:
    """Run the script on a fresh lab; what it prints besides is in `log`. Raises FailedError when it does not come to its end."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:  # its path must be short: those of sockets are
        config = Path(folder, "ssh_config")
        config.write_text(ssh_config(platform, Path(folder)))
        begun = time.monotonic()
        try:
            with log.open("w") as errors:
                done = subprocess.run(
                    ["bash", SCRIPT, config],
                    env=dict(env), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, text=True, timeout=MOST_S, check=False,
                )  # fmt: skip
            elapsed = time.monotonic() - begun
        except subprocess.TimeoutExpired:
            raise FailedError(f"by hand: not done within {MOST_S} s: see {log}") from None
        finally:
            _hang_up(config, Path(folder))
    if done.returncode != 0:
        raise FailedError(f"by hand: exit code {done.returncode}: {log.read_text(errors='replace')[-1000:]}")
    return move_of(done.stdout, elapsed)


def move_of(said: str, elapsed_s: float) -> Move:
    """What the script's lines say: PHASE PART SECONDS. Raises ValueError for any other line."""
    phases: dict[str, float] = {}
    parts: dict[str, float] = {}
    for line in said.splitlines():
        found = SAID.fullmatch(line)
        if found is None:
            raise ValueError(f"the script said {line!r}")
        phases[found[1]] = phases.get(found[1], 0.0) + float(found[3])
        parts[f"{found[1]} {found[2]}"] = float(found[3])
    return Move(elapsed_s, phases, {"parts": parts})


def ssh_config(platform: Platform, sockets: Path) -> str:
    """The machines by their names, as OpenSSH takes them: logins, ports and jump hosts of the config; one connection for each."""
    general = {
        "IdentityFile": platform.ssh.key,
        "IdentitiesOnly": "yes",
        "UserKnownHostsFile": platform.ssh.known_hosts,
        "StrictHostKeyChecking": "yes",
        "BatchMode": "yes",
        "LogLevel": "ERROR",
        "ServerAliveInterval": "15",
        "ControlMaster": "auto",
        "ControlPath": sockets / "%C",
        "ControlPersist": "600",
    }
    return "".join(_block(machine.name, _reached(platform, machine)) for machine in platform.machines) + _block("*", general)


def _reached(platform: Platform, machine: Machine) -> dict[str, object]:
    access = platform.access(machine)
    jump = ",".join(f"{hop.user}@{hop.host}:{hop.port}" for hop in access.hops)
    own = {"HostName": machine.address, "Port": access.port, "User": access.user}
    return {**own, "ProxyJump": jump} if jump else own


def _block(name: str, settings: Mapping[str, object]) -> str:
    return f"Host {name}\n" + "".join(f"    {key} {value}\n" for key, value in settings.items())


def _hang_up(config: Path, sockets: Path) -> None:
    """End what keeps shared connections open, those to jump hosts, too."""
    for socket in sockets.iterdir():
        if socket.is_socket():
            words = ["ssh", "-F", config, "-o", f"ControlPath={socket}", "-O", "exit", "any"]
            subprocess.run(words, stderr=subprocess.DEVNULL, timeout=20, check=False)
