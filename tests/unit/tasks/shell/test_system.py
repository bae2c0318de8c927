"""Which system a machine runs, and what is typed there for a command that it lacks."""

from __future__ import annotations

import pytest

from tasks.shell.script import facts, parse_facts
from tasks.shell.system import QUESTIONS, System, how_to_install, parse_system
from tests.fakes.host import FakeHost
from tests.fakes.world import World


def asked(host: FakeHost) -> System:
    return parse_system(parse_facts(host.run(facts(QUESTIONS), what="asking").stdout))


def test_a_debian_of_today(world: World) -> None:
    host = world.hosts["phys-1"]
    host.write("/proc/version", "Linux version 6.1.0-28-amd64 (debian-kernel@lists.debian.org) ...\n")
    host.write("/sys/fs/cgroup/cgroup.controllers", "cpu memory\n")

    distribution, kernel, systemd, bash, coreutils, cgroup = asked(host).names

    assert (distribution, kernel, systemd) == ("Debian GNU/Linux 12 (bookworm)", "kernel 6.1.0-28-amd64", "systemd 252")
    assert (bash.split()[0], coreutils, cgroup) == ("bash", "coreutils 9.1", "cgroup v2")
    assert asked(host).manager == "apt-get"


def test_a_red_hat_of_long_ago(world: World) -> None:
    host = world.hosts["phys-1"]
    host.write("/etc/os-release", 'NAME="CentOS Linux"\nPRETTY_NAME="CentOS Linux 7 (Core)"\n')
    host.write("/sys/fs/selinux/enforce", "1")
    host.tell("lacks", "apt-get\ndnf")

    found = asked(host)

    assert found.names[0] == "CentOS Linux 7 (Core)"
    assert found.names[-2:] == ("cgroup v1", "SELinux enforcing")
    assert found.manager == "yum"


@pytest.mark.parametrize(
    ("manager", "command", "typed"),
    [
        ("apt-get", "pgrep", "apt-get install procps"),
        ("yum", "pgrep", "yum install procps-ng"),
        ("dnf", "ip", "dnf install iproute"),
        ("dnf", "keepalived", "dnf install keepalived"),
        ("apt-get", "/usr/local/bin/etcd", "install there what the sources run, in the same version"),
        ("yum", "docker", "install there what the sources run, in the same version"),
        ("", "getent", "install it there, package libc-bin or glibc-common"),
        ("", "tar", "install it there, package tar"),
    ],
)
def test_what_is_typed_for_a_missing_command(manager: str, command: str, typed: str) -> None:
    assert how_to_install(command, manager) == typed
