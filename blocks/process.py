"""This process's name for others on this machine, and whether the process of such a name is certainly dead."""

from __future__ import annotations

import os
import re
from pathlib import Path

PROC = Path("/proc")
NAMED = re.compile(r"process (?P<pid>\d+) begun at (?P<begun>\d+) of (?P<where>[^\s,]+)")
BEGUN = 19  # of the fields of proc(5)'s stat behind the command's name, in ticks since the boot


def process_name(proc: Path = PROC) -> str:
    """Unique: process id, when it began, and the boot of the machine and the pid namespace that count these."""
    return f"process {os.getpid()} begun at {_begun(proc, os.getpid())} of {_where(proc)}"


def is_dead(text: str, proc: Path = PROC) -> bool:
    """Whether `text` holds the name of a process that would be here if it lived, and is not."""
    named = NAMED.search(text)
    if named is None or named["where"] != _where(proc):
        return False
    return _begun(proc, int(named["pid"])) != named["begun"]


def _begun(proc: Path, pid: int) -> str:
    try:
        stat = (proc / str(pid) / "stat").read_text()
    except OSError:
        return ""
    state, *fields = stat.rpartition(")")[2].split()
    return "" if state in "ZX" else fields[BEGUN - 1]


def _where(proc: Path) -> str:
    boot = (proc / "sys/kernel/random/boot_id").read_text().strip()
    return f"{boot}/{(proc / 'self/ns/pid').readlink()}"
