"""Which system a machine runs, and how a command that it lacks is installed there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

MANAGERS = ("apt-get", "dnf", "yum")  # on systems that have two of them, the one that its makers recommend comes first
# What is asked for costs no fork where bash can read it itself.
SYSTEM = """. /etc/os-release; test -z "$PRETTY_NAME" || echo "$PRETTY_NAME"
read -r _ _ kernel _ </proc/version && echo "kernel $kernel"
read -r name version _ < <(systemctl --version) && echo "$name $version"
echo "bash ${BASH_VERSION%%(*}"
read -r _ _ _ version < <(ls --version) && echo "coreutils $version"
if test -e /sys/fs/cgroup/cgroup.controllers; then echo 'cgroup v2'; else echo 'cgroup v1'; fi
enforcing=; read -r enforcing </sys/fs/selinux/enforce  # it ends without a line end
case $enforcing in 1) echo 'SELinux enforcing' ;; 0) echo 'SELinux permissive' ;; esac"""
MANAGER = f'for m in {" ".join(MANAGERS)}; do command -v "$m" >/dev/null && echo "$m" && break; done'
QUESTIONS = {"system": SYSTEM, "manager": MANAGER}
# By command, its package on Debian's side and on that of CentOS, openEuler and Kylin; others are called as their command.
PACKAGES = {
    "awk": ("gawk", "gawk"),
    "base64": ("coreutils", "coreutils"),
    "cmp": ("diffutils", "diffutils"),
    "find": ("findutils", "findutils"),
    "getent": ("libc-bin", "glibc-common"),
    "hostnamectl": ("systemd", "systemd"),
    "ip": ("iproute2", "iproute"),
    "pgrep": ("procps", "procps-ng"),
}
FROM_SOURCES = "install there what the sources run, in the same version"


@dataclass(frozen=True)
class System:
    """What a machine said of its system."""

    names: tuple[str, ...]
    """Distribution, kernel, systemd, bash, coreutils, version of cgroups, SELinux where it is on; what is unknown is left out."""
    manager: str
    """Of packages; empty where it is none of MANAGERS."""

    def __str__(self) -> str:
        return ", ".join(self.names)

    def install(self, command: str) -> str:
        """What to type there for a command that is missing."""
        return how_to_install(command, self.manager)


def parse_system(said: Mapping[str, str]) -> System:
    """What a machine answered to QUESTIONS."""
    return System(tuple(said["system"].splitlines()), said["manager"].strip())


def how_to_install(command: str, manager: str) -> str:
    """What to type on a machine with this package manager.

    What the platform runs on comes from where the sources have it: docker's package has another name on each system, and on
    Debian `docker` is another program; a path is that of a binary, mostly etcd's.
    """
    if command == "docker" or "/" in command:
        return FROM_SOURCES
    debian, red_hat = PACKAGES.get(command, (command, command))
    if manager:
        return f"{manager} install {debian if manager == MANAGERS[0] else red_hat}"
    return "install it there, package " + (debian if debian == red_hat else f"{debian} or {red_hat}")
