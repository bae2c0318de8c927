"""The fake machine itself: what it keeps from the real one, and what counts as a mutation."""

from pathlib import Path

import pytest

from blocks.errors import CommandFailedError, HostUnreachableError
from tests.fakes.host import FakeHost


@pytest.fixture
def host(folder: Path) -> FakeHost:
    return FakeHost("vm-1", "10.0.0.11", folder / "vm-1")


def test_absolute_paths_lead_below_the_root_and_back(host: FakeHost) -> None:
    host.write("/etc/hosts", "10.0.0.9 printer\n")

    answer = host.run("cat /etc/hosts; ls '/etc/hosts'; echo \"^/var/lib/x\"; readlink -f /etc/hosts", what="asking")

    assert answer.stdout.split("\n") == ["10.0.0.9 printer", "/etc/hosts", "^/var/lib/x", "/etc/hosts", ""]


def test_reading_is_no_mutation(host: FakeHost) -> None:
    host.run("cat /etc/hosts; systemctl is-active k3s; docker ps; echo x >/tmp/log", what="asking")

    assert host.mutations == []


@pytest.mark.parametrize(
    "script",
    [
        "echo x >/etc/new",
        "rm /etc/hosts",
        "mkdir /etc/new",
        "chmod 600 /etc/hosts",
        "cp /etc/hosts /etc/h; mv /etc/h /etc/hosts",
        "hostnamectl set-hostname vm-1",
        "systemctl start docker",
        "docker load -i /opt/x.tar",
    ],
)
def test_a_script_that_changes_anything_is_a_mutation(host: FakeHost, script: str) -> None:
    host.unit("docker")

    host.run(script, what="acting", check=False)

    assert host.mutations == ["vm-1: acting"]


def test_units_are_as_systemd_has_them(host: FakeHost) -> None:
    host.unit("etcd", "inactive", "disabled")

    host.run("systemctl enable --now etcd.service", what="starting")
    assert host.unit_state("etcd") == ("active", "enabled")
    host.run("systemctl stop etcd && systemctl disable etcd", what="stopping")
    assert host.unit_state("etcd") == ("inactive", "disabled")


def test_a_unit_that_is_not_there_cannot_be_started(host: FakeHost) -> None:
    with pytest.raises(CommandFailedError, match=r"Unit keepalived.service not loaded"):
        host.run("systemctl restart keepalived", what="starting")


def test_a_command_that_no_machine_has_is_a_mistake_in_the_script(host: FakeHost) -> None:
    with pytest.raises(AssertionError, match=r"vm-1: no such command: etcd_words"):
        host.run("etcd_words 2>/dev/null || :", what="asking")


def test_a_fault_before_the_act_leaves_it_undone_and_one_after_it_does_not(host: FakeHost) -> None:
    host.fail("acting", HostUnreachableError("cable"))
    with pytest.raises(HostUnreachableError):
        host.run("echo x >/etc/new", what="acting")
    assert not host.path("/etc/new").exists()

    host.fail("acting", HostUnreachableError("cable"), after=True)
    with pytest.raises(HostUnreachableError):
        host.run("echo x >/etc/new", what="acting")
    assert host.path("/etc/new").exists()

    host.run("rm /etc/new", what="acting")
    assert not host.path("/etc/new").exists()


def test_nothing_of_a_script_is_left_for_the_next_and_machines_are_kept_apart(folder: Path) -> None:
    first, second = FakeHost("vm-1", "10.0.0.11", folder / "a"), FakeHost("vm-2", "10.0.0.12", folder / "b")
    first.run("left=1; cat() { echo mine; }; cd /etc; set -eu; trap 'echo ended' EXIT", what="acting")
    first.tell("lacks", "ip")

    assert second.run('echo "<${left-}>"; uname -n; command -v ip; pwd; false; echo on', what="asking").stdout == "<>\nvm-2\nip\n/\non\n"
    assert first.run("command -v ip || uname -n", what="asking").stdout == "vm-1\n"
