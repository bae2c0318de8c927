"""What earlier runs let expect."""

from __future__ import annotations

from pathlib import Path

from tasks.engine.journal import Entry, Journal, Report
from tasks.report.history import expected_of, lasting, reports_in, seconds_by_phase
from tasks.report.interruption import iso

T0 = 1_767_323_045.0
SETTING = {"sources": [{"name": "vm-1"}], "targets": [{"name": "phys-1"}]}


def entry(phase: str, begun: float, ended: float | None, outcome: str = "changed", *, undo: str = "none needed") -> Entry:
    return Entry("a step", "phys-1", iso(T0 + begun), None if ended is None else iso(T0 + ended), outcome, phase=phase, undo=undo)


def report(run: str, *entries: Entry, outcome: str = "verified", **facts: object) -> Report:
    known = {"setting": SETTING, **facts}
    return Report("demo", run, "migrate", False, begun=iso(T0), outcome=outcome, entries=list(entries), **known)  # type: ignore[arg-type]


LIKE = report("run-9", outcome="running")


def test_a_phase_lasts_from_its_first_begin_to_its_last_end() -> None:
    found = seconds_by_phase(report("run-1", entry("join", 5, 9), entry("backup", 0, 2), entry("join", 3, 7), entry("drain", 9, None)))

    assert found == {"backup": 2, "join": 6}
    assert list(found) == ["backup", "join"]


def test_of_each_phase_the_newest_run_that_really_did_it_counts() -> None:
    newest = report("run-3", entry("backup", 0, 1, "unchanged"), entry("drain", 1, 31))
    before = report("run-2", entry("backup", 0, 60), entry("drain", 60, 70))

    found = expected_of([newest, before], LIKE)

    assert (found.run, found.steps, found.phases) == ("run-3", 2, ("backup", "drain"))
    assert found.seconds == {"backup": 60, "drain": 30}


def test_checks_take_their_time_also_where_nothing_is_changed() -> None:
    assert expected_of([report("run-1", entry("verify", 0, 3, "unchanged", undo=""))], LIKE).seconds == {"verify": 3}


def test_a_dry_run_says_nothing_of_how_long_its_checks_after_acts_take_and_is_compared_with_dry_runs() -> None:
    entries = entry("preflight", 0, 9, "unchanged", undo=""), entry("join", 9, 10, "planned"), entry("verify", 10, 11, "planned", undo="")
    plan = report("run-1", *entries, outcome="planned")
    plan.dry_run = True

    assert expected_of([plan], LIKE).seconds == {"preflight": 9}
    assert expected_of([report("run-2", entry("join", 0, 90)), plan], LIKE, dry=True).seconds == {"preflight": 9, "join": 1, "verify": 1}


def test_neither_failed_runs_nor_other_machines_nor_other_flows_nor_itself_count() -> None:
    other = {**SETTING, "targets": [{"name": "phys-2"}]}
    earlier = [
        report("run-1", entry("drain", 0, 9), outcome="failed"),
        report("run-2", entry("drain", 0, 9), setting=other),
        report("run-9", entry("drain", 0, 9)),
    ]
    rollback = report("run-3", entry("drain", 0, 9))
    rollback.flow = "rollback"

    assert expected_of([*earlier, rollback], LIKE).seconds == {}


def test_reports_are_read_newest_first_and_what_is_none_is_left_out(folder: Path) -> None:
    for run in ("20260101-000000", "20260102-000000"):
        Journal(report(run), folder / run / "report.json")
    (folder / "20260103-000000").mkdir()
    (folder / "20260103-000000" / "report.json").write_text("[]")

    assert [found.run for _, found in reports_in(folder)] == ["20260102-000000", "20260101-000000"]


def test_a_duration_is_no_finer_than_it_is_known() -> None:
    assert [lasting(seconds) for seconds in (4.4, 89, 150, 5400, 260_000)] == ["4 s", "89 s", "2 min", "1 h 30 min", "3 days"]
