"""The machines' disks: an overlay of our own over the shared root file system, and a plain folder for Docker.

Our own, not podman's: the upper folder then outlives the container, and a golden copy of it is a plain rsync.
"""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

from deployments.lab import cache
from deployments.lab.machines import Machine
from deployments.lab.shell import LabError, attempt, run


def mount(machine: Machine, lower: list[Path]) -> Path:
    """The machine's root file system is mounted afresh on `merged`, which is returned."""
    unmount(machine)
    disk = cache.disk(machine)
    shutil.rmtree(disk / "work", ignore_errors=True)
    for folder in ("upper", "work", "merged", "docker"):
        (disk / folder).mkdir(parents=True, exist_ok=True)
    layers = ":".join(str(path) for path in lower)
    # volatile: a machine's power is a container, not this kernel, so its fsyncs need not wait for the real disk.
    options = f"lowerdir={layers},upperdir={disk / 'upper'},workdir={disk / 'work'},volatile"
    run("mount", "-t", "overlay", machine.container, "-o", options, disk / "merged")
    return disk / "merged"


def unmount(machine: Machine) -> None:
    """Nothing is mounted on `merged`, however often a killed lab had mounted it."""
    merged = cache.disk(machine) / "merged"
    deadline = time.monotonic() + 10
    while os.path.ismount(merged):
        if attempt("umount", merged).returncode != 0:
            if time.monotonic() > deadline:
                raise LabError(f"{merged} is still in use; `fuser -vm {merged}` shows by what")
            time.sleep(0.2)


def wipe(machine: Machine) -> None:
    """The machine has blank disks. It must be off."""
    unmount(machine)
    disk = cache.disk(machine)
    if disk.exists():
        shutil.rmtree(disk)


def link(machine: Machine, path: str, target: str) -> None:
    """A symbolic link on the disk of a machine that is off."""
    place = cache.disk(machine) / "upper" / path.lstrip("/")
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(target)


def write(machine: Machine, path: str, text: str, mode: int = 0o644) -> None:
    """A file on the disk of a machine that is off."""
    target = cache.disk(machine) / "upper" / path.lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.touch(mode=mode)
    target.chmod(mode)
    target.write_text(text)
