"""Facts, asked in a shell."""

from pathlib import Path

import pytest

from tasks.shell.script import STRICT, facts, parse_facts
from tests.fakes.host import FakeHost


@pytest.fixture
def host(folder: Path) -> FakeHost:
    return FakeHost("vm-1", "10.0.0.11", folder / "vm-1")


def answers(host: FakeHost, script: dict[str, str]) -> dict[str, str]:
    return parse_facts(host.run(facts(script), what="asking").stdout)


def test_facts_come_back_as_they_were_printed(host: FakeHost) -> None:
    found = answers(host, {"one": "echo first; echo second", "odd": "printf 'a b  c\\n\\n'", "accents": "printf 'é'"})

    assert found == {"one": "first\nsecond", "odd": "a b  c", "accents": "é"}


def test_a_fact_that_fails_answers_with_nothing_and_stops_no_other(host: FakeHost) -> None:
    assert answers(host, {"bad": "ls /etc/nowhere", "good": "echo yes"}) == {"bad": "", "good": "yes"}


def test_a_fact_that_fails_stops_no_strict_script(host: FakeHost) -> None:
    answer = host.run(STRICT + facts({"bad": "false"}) + "echo on\n", what="asking")

    assert answer.stdout.endswith("on\n")


def test_a_facts_error_message_is_no_answer(host: FakeHost) -> None:
    assert answers(host, {"noisy": "echo noise >&2; echo said"}) == {"noisy": "said"}


def test_what_a_login_or_another_command_prints_is_no_answer(host: FakeHost) -> None:
    script = f"echo Welcome to vm-1; {facts({'one': 'echo 1'})}echo 'Removed symlink.'; {facts({'two': 'printf 2'})}echo bye"

    assert parse_facts(host.run(script, what="asking").stdout) == {"one": "1", "two": "2"}


def test_an_answer_that_looks_like_another_facts_frame_stays_an_answer(host: FakeHost) -> None:
    assert answers(host, {"odd": "printf '%s\\n' '--fact-00000000 two' no '--fact-00000000'", "two": "echo yes"}) == {
        "odd": "--fact-00000000 two\nno\n--fact-00000000", "two": "yes"
    }


def test_a_fact_that_reads_its_input_takes_nothing_of_the_script(host: FakeHost) -> None:
    assert answers(host, {"reads": "cat", "next": "echo on"}) == {"reads": "", "next": "on"}


def test_an_answer_that_was_cut_off_is_none() -> None:
    assert parse_facts("\n--fact-0a1b2c3d one\nhalf of") == {}
