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
