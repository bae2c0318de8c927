"""The initial state, kept: copies of all disks and of the file lake, taken with every machine shut down in good order."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from deployments.lab import cache
from deployments.lab.machines import MACHINES, Machine
from deployments.lab.shell import LabError, run
from deployments.lab.steps import each

MARK = cache.GOLDEN / "key"


def key() -> str:
    """The key of the complete golden copy, or nothing."""
    return MARK.read_text() if MARK.exists() else ""


def save(golden_key: str) -> None:
    """The machines' disks as they are now are the initial state. All machines must be off."""
    discard()
    each(_pairs(), lambda pair: _copy(pair[0], pair[1]))
    # The copy must outlive the box's own crash: later resets trust it blindly.
    os.sync()
    MARK.write_text(golden_key)


def restore() -> None:
    """The machines' disks are as they were saved. All machines must be off."""
    if not key():
        raise LabError("there is no initial state to go back to yet; type: lab up")
    each(_pairs(), lambda pair: _copy(pair[1], pair[0]))


def discard() -> None:
    """No golden copy counts any more; its files stay as a head start for the next."""
    MARK.unlink(missing_ok=True)


def forget() -> None:
    """No golden copy is left on the disk."""
    shutil.rmtree(cache.GOLDEN, ignore_errors=True)


def _pairs() -> list[tuple[Path, Path]]:
    """Folders in use and their golden copies."""
    disks = [(cache.disk(m) / part, _copy_of(m) / part) for m in MACHINES for part in ("upper", "docker")]
    return [*disks, (cache.LAKE, cache.GOLDEN / "lake")]


def _copy_of(machine: Machine) -> Path:
    return cache.GOLDEN / machine.name


def _copy(source: Path, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    # Times to the nanosecond: a file may change within the second of its copy and keep its size.
    run("rsync", "-aHAX", "--sparse", "--delete", "--modify-window=-1", f"{source}/", f"{target}/", timeout=600)
