"""Pieces of shell, run by a shell."""

from pathlib import Path

import pytest

from tasks.shell.files import read_file, write_file
from tasks.shell.script import STRICT, facts, parse_facts
from tests.fakes.host import FakeHost

AWKWARD = 'it\'s "quoted" $HOME `id` \\n\n\ttab\nEND\n{% raw %}\n'


@pytest.fixture
def host(folder: Path) -> FakeHost:
    return FakeHost("vm-1", "10.0.0.11", folder / "vm-1")


def answers(host: FakeHost, script: dict[str, str]) -> dict[str, str]:
    return parse_facts(host.run(facts(script), what="asking").stdout)


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


def test_facts_come_back_as_they_were_said(host: FakeHost) -> None:
    found = answers(host, {"one": "echo first; echo second", "odd": "printf 'a b  c\\n\\n'", "accents": "printf 'é'"})

    assert found == {"one": "first\nsecond", "odd": "a b  c", "accents": "é"}


def test_a_fact_that_fails_answers_with_nothing_and_stops_no_other(host: FakeHost) -> None:
    assert answers(host, {"bad": "ls /etc/nowhere", "good": "echo yes"}) == {"bad": "", "good": "yes"}


def test_a_fact_that_fails_stops_no_strict_script(host: FakeHost) -> None:
    answer = host.run(STRICT + facts({"bad": "false"}) + "echo on\n", what="asking")

    assert answer.stdout.endswith("on\n")


def test_a_facts_error_message_is_no_answer(host: FakeHost) -> None:
    assert answers(host, {"noisy": "echo told >&2; echo said"}) == {"noisy": "said"}


def test_a_missing_file_reads_as_nothing(host: FakeHost) -> None:
    host.write("/etc/there", "content\n")

    assert answers(host, {"there": read_file("/etc/there"), "not": read_file("/etc/not")}) == {
        "there": "content",
        "not": "",
    }
