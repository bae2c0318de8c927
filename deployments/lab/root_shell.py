"""A root shell on a running machine. The script is passed on standard input, so that its secrets show in no process list."""

from __future__ import annotations

import subprocess
from pathlib import Path

from deployments.lab.machines import Machine
from deployments.lab.shell import LabError, attempt, run


def sh(machine: Machine, script: str, timeout: float = 120) -> str:
    """The script's output; the first command that fails ends it with an error that names the machine."""
    done = attempt("podman", "exec", "-i", machine.container, "sh", "-eu", "-s", stdin=script, timeout=timeout)
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip()[-1500:]
        raise LabError(f"{machine.name}: a setup script ended with status {done.returncode}:\n{said}")
    return done.stdout


def query(machine: Machine, script: str, timeout: float = 20) -> str:
    """What the script printed before the timeout; for reading from a machine that may be half up."""
    try:
        done = attempt("podman", "exec", "-i", machine.container, "sh", "-s", stdin=script, timeout=timeout)
    except LabError:
        return ""
    return done.stdout


def load_images(machine: Machine, archive: Path) -> None:
    """The archive's images are in the machine's Docker, without a copy of the archive on its disk."""
    with archive.open("rb") as handle:
        subprocess.run(
            ["podman", "exec", "-i", machine.container, "docker", "load", "--quiet"],
            stdin=handle, capture_output=True, check=True, timeout=120,
        )  # fmt: skip


def put(machine: Machine, path: str, text: str, mode: str = "0644") -> None:
    """A file on a running machine, with that mode from its first byte on."""
    command = f"umask 077; mkdir -p -m 755 {Path(path).parent}; cat > {path}.new; chmod {mode} {path}.new; mv {path}.new {path}"
    run("podman", "exec", "-i", machine.container, "sh", "-euc", command, stdin=text)
