"""Whole files, as they reach the machines."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from blocks.ports import Member
from tasks.etcd.unit import etcd_unit
from tasks.k3s.bundle import k3s_profile
from tasks.machine.hosts import hosts_conflicts, hosts_file
from tasks.shell.files import diff
from tasks.vip.conf import keepalived_conf
from tests.fakes.platform import platform

GOLDEN = Path(__file__).parent.parent / "golden"
PLATFORM = platform()
MACHINES = PLATFORM.machines

STALE = """127.0.0.1 localhost
127.0.1.1 old-name
10.9.9.9 vm-1 vm-1.example.org  # moved
10.0.0.110 vm-11
10.0.0.21 phys-1
"""
BLOCK = (GOLDEN / "hosts").read_text()


def member(name: str, address: str, *, learner: bool = False) -> Member:
    return Member(1, name, (f"http://{address}:2380",), (), learner)


def test_the_etcd_unit_names_every_member_and_the_new_one_by_its_own_name() -> None:
    members = [member("etcd-a", "10.0.0.11"), member("etcd-b", "10.0.0.12"), member("", "10.0.0.21", learner=True)]

    assert etcd_unit(PLATFORM, PLATFORM.targets[0], members) == (GOLDEN / "etcd.service").read_text()


@pytest.mark.parametrize("rank", [0, 1])
def test_keepalived_is_a_backup_that_does_not_preempt(rank: int) -> None:
    conf = keepalived_conf(PLATFORM, PLATFORM.targets[rank], SecretStr("s3cret"))

    assert conf == (GOLDEN / f"keepalived-{rank + 1}.conf").read_text()


def test_the_shell_profile_is_whole() -> None:
    assert k3s_profile() == (GOLDEN / "k3s.sh").read_text()


def test_a_new_hosts_file_is_the_block_before_what_was_there() -> None:
    assert hosts_file(STALE, MACHINES) == BLOCK + STALE


def test_writing_the_hosts_file_again_changes_nothing() -> None:
    once = hosts_file(STALE, MACHINES)

    assert hosts_file(once, MACHINES) == once


def test_an_old_block_in_the_middle_of_a_file_is_replaced() -> None:
    old = "127.0.0.1 localhost\n# BEGIN evenkeel: v0\n10.1.1.1 vm-1\n# END evenkeel\n10.2.2.2 printer\n"

    assert hosts_file(old, MACHINES) == BLOCK + "127.0.0.1 localhost\n10.2.2.2 printer\n"


def test_a_block_that_lost_its_end_takes_no_foreign_line_with_it() -> None:
    assert "10.2.2.2 printer" in hosts_file("# BEGIN evenkeel: v0\n10.1.1.1 vm-1\n10.2.2.2 printer\n", MACHINES)


def test_an_empty_hosts_file_becomes_the_block() -> None:
    assert hosts_file("", MACHINES) == BLOCK


def test_a_stale_line_is_told_and_a_longer_name_or_a_right_line_is_not() -> None:
    assert hosts_conflicts(STALE, MACHINES) == ["10.9.9.9 vm-1 vm-1.example.org  # moved"]


def test_a_line_that_is_commented_out_is_not_told() -> None:
    assert hosts_conflicts("# 10.9.9.9 vm-1\n\n   \n", MACHINES) == []


def test_lines_of_the_block_itself_are_not_told() -> None:
    assert hosts_conflicts("# BEGIN evenkeel: v0\n10.1.1.1 vm-1\n# END evenkeel\n", MACHINES) == []


def test_files_that_are_the_same_have_no_diff() -> None:
    assert diff("/etc/hosts", "a\n", "a\n") == ""


def test_a_diff_names_the_file_before_and_after() -> None:
    assert diff("/etc/hosts", "a\n", "b\n") == "--- /etc/hosts (now)\n+++ /etc/hosts (then)\n@@ -1 +1 @@\n-a\n+b"
