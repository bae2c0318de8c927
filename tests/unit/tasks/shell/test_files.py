"""Files on machines, written, kept and moved by a shell; files compared."""

import re
from pathlib import Path

import pytest

from tasks.shell.files import (
    OURS,
    begin_log,
    diff,
    diff_of_ours,
    keep_foreign,
    move_aside,
    read_file,
    step_log,
    write_file,
)
from tasks.shell.script import STRICT, facts, parse_facts
from tests.fakes.host import FakeHost

ROOT = Path(__file__).resolve().parents[4]
AWKWARD = 'it\'s "quoted" $HOME `id` \\n\n\ttab\nEND\n{% raw %}\n'


@pytest.fixture
def host(folder: Path) -> FakeHost:
    return FakeHost("vm-1", "10.0.0.11", folder / "vm-1")


def test_a_file_gets_exactly_its_content(host: FakeHost) -> None:
    host.run(STRICT + write_file("/etc/new/folder/file.conf", AWKWARD), what="writing")

    assert host.read("/etc/new/folder/file.conf") == AWKWARD


def test_a_file_gets_its_mode(host: FakeHost) -> None:
    host.run(STRICT + write_file("/etc/secret", "x\n", "0600"), what="writing")

    assert host.path("/etc/secret").stat().st_mode & 0o777 == 0o600


def test_a_file_is_replaced_whole_and_leaves_no_half(host: FakeHost) -> None:
    host.write("/etc/new/file", "old\n")

    host.run(STRICT + write_file("/etc/new/file", "new\n"), what="writing")

    assert host.read("/etc/new/file") == "new\n"
    assert [path.name for path in host.path("/etc/new").iterdir()] == ["file"]


def test_a_path_with_a_blank_is_one_path(host: FakeHost) -> None:
    host.run(STRICT + write_file("/etc/two words", "x\n"), what="writing")

    assert host.read("/etc/two words") == "x\n"


def test_a_missing_file_reads_as_nothing(host: FakeHost) -> None:
    host.write("/etc/there", "content\n")
    question = facts({"there": read_file("/etc/there"), "not": read_file("/etc/not")})

    assert parse_facts(host.run(question, what="asking").stdout) == {"there": "content", "not": ""}


@pytest.mark.parametrize(("content", "kept"), [("theirs\n", True), (f"# {OURS}\n", False)])
def test_only_what_others_wrote_is_kept_aside(host: FakeHost, content: str, kept: bool) -> None:
    host.write("/etc/some.conf", content)

    host.run(STRICT + keep_foreign("/etc/some.conf", "run-1"), what="keeping")

    assert host.path("/etc/some.conf.aside-run-1").exists() is kept


def test_no_copy_is_kept_of_a_file_that_is_missing(host: FakeHost) -> None:
    host.run(STRICT + keep_foreign("/etc/some.conf", "run-1"), what="keeping")

    assert not host.path("/etc/some.conf.aside-run-1").exists()


def test_what_was_there_first_keeps_its_copy_and_each_other_one_gets_its_own(host: FakeHost) -> None:
    for content in ("first\n", "first\n", "second\n"):
        host.write("/etc/some.conf", content)
        host.run(STRICT + keep_foreign("/etc/some.conf", "run-1"), what="keeping")

    first, other = sorted(host.path("/etc").glob("some.conf.aside-*"))
    assert (first.name, first.read_text(), other.read_text()) == ("some.conf.aside-run-1", "first\n", "second\n")


def test_a_copy_that_was_cut_off_is_made_again(host: FakeHost) -> None:
    host.write("/etc/some.conf", "theirs\n")
    host.write("/etc/some.conf.aside-run-1", "the")

    host.run(STRICT + keep_foreign("/etc/some.conf", "run-1"), what="keeping")

    assert "theirs\n" in [path.read_text() for path in host.path("/etc").glob("some.conf.aside-*")]


def test_a_folder_is_moved_aside_with_its_data(host: FakeHost) -> None:
    host.write("/mnt/etcd/member/db", "data\n")

    host.run(STRICT + move_aside("/mnt/etcd", "run-1"), what="moving")

    assert host.read("/mnt/etcd.aside-run-1/member/db") == "data\n"
    assert not host.path("/mnt/etcd").exists()


def test_what_was_moved_aside_before_is_not_overwritten(host: FakeHost) -> None:
    for content in ("first\n", "second\n"):
        host.write("/mnt/etcd/db", content)
        host.run(STRICT + move_aside("/mnt/etcd", "run-1"), what="moving")

    kept = host.path("/mnt").glob("etcd.aside-run-1*/db")
    assert sorted(path.read_text() for path in kept) == ["first\n", "second\n"]


def test_the_content_of_a_mount_point_moves_to_a_folder_inside(host: FakeHost) -> None:
    host.write("/mnt/etcd/member/db", "data\n")
    host.mount("/mnt/etcd", "ext4")

    host.run(STRICT + move_aside("/mnt/etcd", "run-1"), what="moving")

    assert [path.name for path in host.path("/mnt/etcd").iterdir()] == [".aside-run-1"]
    assert host.read("/mnt/etcd/.aside-run-1/member/db") == "data\n"


def test_files_that_are_the_same_have_no_diff() -> None:
    assert diff("/etc/hosts", "a\n", "a\n") == ""


def test_a_diff_names_the_file_before_and_after() -> None:
    assert diff("/etc/hosts", "a\n", "b\n") == "--- /etc/hosts (before)\n+++ /etc/hosts (after)\n@@ -1 +1 @@\n-a\n+b"


def test_a_diff_shows_no_line_that_others_wrote() -> None:
    shown = diff_of_ours("/etc/some.conf", "password\n", f"# {OURS}\n")

    assert "password" not in shown
    assert shown.startswith("/etc/some.conf: 1 lines that are not ours are kept aside and not shown\n")


def test_a_log_is_new_and_only_roots_whatever_lay_there(host: FakeHost) -> None:
    log = step_log("k3s")
    host.write("/etc/precious", "stays\n")
    host.path(log).symlink_to(host.path("/etc/precious"))
    host.run(f"{STRICT}umask 0\n{begin_log(log)}echo said >{log}\n", what="logging")

    assert host.read("/etc/precious") == "stays\n"
    assert host.read(log) == "said\n"
    assert host.path(log).lstat().st_mode == 0o100600


def test_nothing_is_written_to_a_name_in_tmp_that_others_can_foresee() -> None:
    ours = re.compile(r"(?:/var)?/tmp/evenkeel(?!\.XXX)")
    files = [path for room in ("flows", "tasks", "blocks", "configs") for path in (ROOT / room).rglob("*.py")]
    found = {str(path.relative_to(ROOT)) for path in files if ours.search(path.read_text())}
    assert found == {"tasks/database/control.py"}, "in a pod, where the next run must find it: a new folder of mode 0700"
