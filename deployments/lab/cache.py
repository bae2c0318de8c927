"""Where everything of the lab lies: one folder outside the checkout, moved by LAB_CACHE."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deployments.lab.machines import Machine
from deployments.lab.shell import LabError

SOURCE = Path(__file__).resolve().parent
ROOT = Path(os.environ.get("LAB_CACHE") or Path.home() / ".cache" / "evenkeel-lab").expanduser().resolve()

ROOTFS = ROOT / "rootfs"
KUBERNETES = ROOT / "kubernetes"
IMAGES = ROOT / "images"
BUNDLE = ROOT / "bundle"
CHARTS = ROOT / "charts"
HELM = ROOT / "helm"
ETCD = ROOT / "etcd"
GLUSTER = ROOT / "gluster"
LAYERS = ROOT / "layers"
SSH = ROOT / "ssh"
PKI = ROOT / "pki"
GOLDEN = ROOT / "golden"
LAKE = ROOT / "lake"
SECRETS = ROOT / "secrets.json"
LOGS = ROOT / "logs"


def disk(machine: Machine) -> Path:
    """The machine's disks: `upper` over the shared root file system, `docker`, and the mount point `merged`."""
    return ROOT / "machines" / machine.name


@contextmanager
def locked() -> Iterator[None]:
    """Only one `lab` changes the lab at a time; a second one fails at once instead of interfering."""
    ROOT.mkdir(parents=True, exist_ok=True)
    with (ROOT / "lab.lock").open("a") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as busy:
            raise LabError(
                f"another `lab` is running (lock {ROOT}/lab.lock); wait for it, or end it and try again"
            ) from busy
        yield
