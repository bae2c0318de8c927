"""/etc/hosts with the managed block."""

from pathlib import Path

from tasks.machine.hosts import hosts_conflicts, hosts_file
from tests.fakes.platform import platform

GOLDEN = Path(__file__).parent / "golden"
PLATFORM = platform()
MACHINES = PLATFORM.machines
STALE = """127.0.0.1 localhost
127.0.1.1 old-name
10.9.9.9 vm-1 vm-1.example.org  # moved
10.0.0.110 vm-11
10.0.0.21 phys-1
"""
BLOCK = (GOLDEN / "hosts").read_text()


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


def test_a_stale_line_is_reported_and_a_longer_name_or_a_right_line_is_not() -> None:
    assert hosts_conflicts(STALE, MACHINES, own="phys-1") == ["10.9.9.9 vm-1 vm-1.example.org  # moved"]


def test_a_line_that_is_commented_out_is_not_reported() -> None:
    assert hosts_conflicts("# 10.9.9.9 vm-1\n\n   \n", MACHINES, own="phys-1") == []


def test_lines_of_the_block_itself_are_not_reported() -> None:
    assert hosts_conflicts("# BEGIN evenkeel: v0\n10.1.1.1 vm-1\n# END evenkeel\n", MACHINES, own="phys-1") == []
