"""The Debian packages that this box and the machines need, and the kernel limits that nine machines on one kernel need."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from deployments.lab import cache
from deployments.lab.shell import LabError, attempt, run
from deployments.lab.steps import step

PACKAGES = (
    "podman", "runc", "conmon", "debootstrap", "golang-go", "rsync", "jq", "make", "gcc", "dpkg-dev", "file",
    "iproute2", "iptables", "openssh-client", "procps", "python3",
)  # fmt: skip

# Each systemd, dockerd and kubelet takes some inotify instances of the one root user; the default is 128.
LIMITS = {"fs/inotify/max_user_instances": 8192, "fs/inotify/max_user_watches": 1048576, "kernel/pid_max": 131072}


# Minor versions of etcd, and which release of Debian has them; the root file system's own needs no other release.
ETCDS = {"3.4": "", "3.5": "trixie"}


def ensure() -> None:
    """The box can run the lab: we are root, the packages are installed, the limits are high enough."""
    require_root()
    missing = _missing()
    if missing:
        _install(missing)
    for name, least in LIMITS.items():
        _raise(Path("/proc/sys") / name, least)


def require_root() -> None:
    """We are root; otherwise raise an error with the command for root to type."""
    if os.geteuid() != 0:
        missing = _missing()
        first = f"apt-get install {' '.join(missing)} && " if missing else ""
        raise LabError(f"the lab needs root (namespaces, mounts, a bridge); as root type: {first}lab up")


def etcd_version() -> str:
    """The minor version of etcd on all machines: LAB_ETCD is 3.4 (that of Debian 12) or 3.5 (that of Debian 13)."""
    version = os.environ.get("LAB_ETCD", "3.4")
    if version not in ETCDS:
        raise LabError(f"LAB_ETCD: {version!r} is none of {', '.join(ETCDS)}")
    return version


def other_etcd() -> str:
    """The release of Debian that the machines' etcd comes from when it is not their own, or nothing."""
    return ETCDS[etcd_version()]


def _missing() -> list[str]:
    if not shutil.which("dpkg-query"):
        raise LabError("the lab is built from Debian 12's packages, and this box has no dpkg")
    status = attempt("dpkg-query", "--show", "--showformat", "${Package} ${db:Status-Status}\n", *PACKAGES).stdout
    installed = {line.split()[0] for line in status.splitlines() if line.endswith(" installed")}
    return [name for name in PACKAGES if name not in installed]


def _install(missing: list[str]) -> None:
    log = cache.LOGS / "apt.log"
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with step(f"installing {' '.join(missing)}"):
        run("apt-get", "update", log=log, env=environment, timeout=600)
        run(
            "apt-get", "install", "--yes", "--no-install-recommends", *missing,
            log=log, env=environment, timeout=1800,
        )  # fmt: skip


def _raise(setting: Path, least: int) -> None:
    if int(setting.read_text()) < least:
        setting.write_text(str(least))
