"""How far a run is, in words and numbers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tasks.engine.finding import note, warning
from tasks.engine.journal import Entry, Report
from tasks.report.history import Expected
from tasks.report.interruption import iso
from tasks.report.progress import MOST_WARNINGS, Now, Progress, progress_of, read_progress

T0 = 1_767_323_045.0
TOOK = Expected("run-0", 69, ("preflight", "join", "drain", "verify"), {"preflight": 10, "join": 100, "drain": 60, "verify": 5})


def entry(step: str, target: str, phase: str, begun: float, ended: float | None, **facts: object) -> Entry:
    outcome = "running" if ended is None else "changed"
    return Entry(step, target, iso(T0 + begun), iso(T0 + ended) if ended is not None else None, outcome, phase=phase, **facts)  # type: ignore[arg-type]


def report(*entries: Entry) -> Report:
    return Report("demo", "run-1", "migrate", dry_run=False, begun=iso(T0), entries=list(entries))


def progress(*entries: Entry, expected: Expected = TOOK, phase: str = "join", at: float = 40) -> Progress:
    return progress_of(report(*entries), phase, expected, T0 + at)


RUNNING = entry("join k3s", "phys-4", "join", 12, None, awaiting="phys-4 is a Ready node")
DONE = entry("check etcd", "demo", "preflight", 0, 10)


def test_the_headline_says_which_step_which_phase_and_how_long_it_may_still_take() -> None:
    assert progress(DONE, RUNNING).headline == "step 2 of 69, phase join, about 2 min left"
    assert progress(DONE, RUNNING).left_s == 100 - 28 + 60 + 5


def test_what_runs_now_says_what_it_waits_for() -> None:
    assert progress(DONE, RUNNING).now == [Now("join k3s", "phys-4", 28, "phys-4 is a Ready node")]
    assert "- join k3s on phys-4, for 28 s: phys-4 is a Ready node" in progress(DONE, RUNNING).text


def test_without_an_earlier_run_nothing_is_made_up() -> None:
    assert progress(DONE, RUNNING, expected=Expected()).headline == "step 2, phase join, time left unknown"


def test_a_phase_that_takes_longer_than_before_leaves_those_behind_it() -> None:
    assert progress(DONE, RUNNING, at=900).left_s == 65


def test_a_phase_that_no_earlier_run_had_leaves_the_time_unknown() -> None:
    assert progress(DONE, phase="restore").left_s is None


def test_a_phase_to_come_that_was_never_measured_leaves_the_time_unknown() -> None:
    known = replace(TOOK, seconds={"preflight": 10, "join": 100, "verify": 5})

    assert progress(DONE, RUNNING, expected=known).left_s is None


def test_more_steps_than_before_are_never_more_than_all() -> None:
    assert progress(DONE, RUNNING, expected=Expected("run-0", 1)).total == 2


def test_hosts_have_their_steps_with_outcomes() -> None:
    assert progress(DONE, RUNNING).hosts == {"demo": {"check etcd": "changed"}, "phys-4": {"join k3s": "running"}}


def test_the_last_warnings_are_those_of_findings_and_of_steps_that_were_tried_again() -> None:
    found = tuple(warning("disk-slow", f"phys-{n}", "slow") for n in range(MOST_WARNINGS))
    again = entry("drain", "vm-1", "drain", 20, 30, retries=2, why="evicted")

    said = progress(entry("check machine", "phys-1", "preflight", 0, 1, findings=(*found, note("x-y", "a", "b"))), again).warnings

    assert len(said) == MOST_WARNINGS
    assert said[-1] == "vm-1: drain: changed, 2 retries: evicted"


def test_what_was_published_is_read_as_it_was() -> None:
    assert read_progress(progress(DONE, RUNNING).as_json()) == progress(DONE, RUNNING)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"now": 3}'])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        read_progress(text)
