"""What every check gets by being one: it can't act, its findings are kept, and what it refuses stops the run."""

from __future__ import annotations

import inspect
from typing import Any

from tasks.engine.check import check
from tasks.engine.finding import Checked, Finding, Findings, FindingsError, Level, ranked
from tasks.engine.journal import read_report
from tasks.engine.outcome import Change, Outcome
from tasks.engine.run import Run
from tests.fakes.host import FakeHost
from tests.fakes.platform import platform
from tests.fakes.world import World

FULL = {"id": "disk-full", "where": "vm-1", "reason": "the disk is grown on Monday"}
HARM = {"id": "two-holders", "where": "vip", "reason": "nobody minds"}


@check("demo check")
def demo(host: FakeHost, *, levels: str = "") -> Checked:
    """The machine is fit."""
    found = Findings(host.name)
    host.run("true", what="looking")
    if "note" in levels:
        found.note("old-kernel", "its kernel is old")
    if "warn" in levels:
        found.warn("clock-off", "its clock is 3 s off", "chronyc makestep")
    if "refuse" in levels:
        found.refuse("disk-full", "no space", "make room")
    if "final" in levels:
        found.refuse("two-holders", "two machines hold it", "stop one", where="vip", final=True)
    return found.checked("fit")


@check("demo verify", after_acts=True)
def verify(host: FakeHost) -> Checked:
    """The machine has moved."""
    return Findings(host.name).checked(host.run("true", what="looking").stdout or "moved")


def ask(world: World, levels: str = "", **accepting: Any) -> tuple[Run, Outcome | FindingsError]:
    world.platform = platform(**accepting)
    run = world.run()
    try:
        return run, demo.fn(run, world.hosts["vm-1"], levels=levels)
    except FindingsError as error:
        return run, error


def test_a_check_gets_no_run_to_act_in() -> None:
    assert "run" not in inspect.signature(demo.fn.__wrapped__).parameters


def test_a_check_without_findings_is_an_entry_with_its_round_trips(world: World) -> None:
    run, outcome = ask(world)

    assert isinstance(outcome, Outcome)
    assert (outcome.change, outcome.why, outcome.findings) == (Change.UNCHANGED, "fit", ())
    (entry,) = read_report(run.journal.path).entries
    assert (entry.step, entry.outcome, entry.ssh_round_trips) == ("demo check", "unchanged", 1)


def test_warnings_and_notes_let_the_run_go_on(world: World) -> None:
    _, outcome = ask(world, "note warn")

    assert isinstance(outcome, Outcome)
    assert [finding.id for finding in outcome.findings] == ["clock-off", "old-kernel"]


def test_all_refusals_are_in_the_error_each_with_its_id(world: World) -> None:
    _, error = ask(world, "note refuse final")

    assert str(error) == "vip: two machines hold it: stop one [two-holders]\nvm-1: no space: make room [disk-full]"


def test_a_refused_check_keeps_all_of_its_findings_in_the_report(world: World) -> None:
    run, _ = ask(world, "note refuse")

    assert [finding.level for finding in read_report(run.journal.path).findings] == [Level.REFUSE, Level.NOTE]


def test_an_accepted_refusal_is_reported_with_the_reason_and_stops_nothing(world: World) -> None:
    _, outcome = ask(world, "refuse", accepted=[FULL])

    assert isinstance(outcome, Outcome)
    assert [str(finding) for finding in outcome.findings] == [
        "vm-1: no space: make room [disk-full] (accepted: the disk is grown on Monday)"
    ]


def test_a_finding_at_another_place_is_not_the_accepted_one(world: World) -> None:
    _, error = ask(world, "refuse", accepted=[{**FULL, "where": "vm-2"}])

    assert isinstance(error, FindingsError)


def test_a_final_refusal_cannot_be_accepted_and_says_so(world: World) -> None:
    _, error = ask(world, "final", accepted=[HARM])

    assert str(error).endswith("stop one; the configuration accepts it, but it can't be accepted [two-holders]")


def test_a_dry_run_does_not_ask_what_only_the_move_makes(world: World) -> None:
    outcome = verify.fn(world.run(dry=True), world.hosts["vm-1"])

    assert (outcome.change, outcome.why) == (Change.PLANNED, "checked: The machine has moved.")
    assert world.hosts["vm-1"].calls == []


def test_refusals_are_ranked_first_and_accepted_ones_last_each_once() -> None:
    note, refusal = Finding("a-note", Level.NOTE, "x", "y"), Finding("a-stop", Level.REFUSE, "x", "y")
    fine = Finding("a-fine", Level.REFUSE, "x", "y", accepted="known")

    assert ranked([fine, note, note, refusal]) == [refusal, note, fine]
