"""What a run did is on disk at every moment, and whole in its report at the end."""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from blocks.errors import RefusedError
from tasks.engine.finding import Finding, FindingsError, Level, note
from tasks.engine.journal import Journal, Report, last_change, lines_of, read_report, under_way
from tasks.engine.outcome import changed, unchanged

SLOW = note("disk-slow", "phys-1", "its disk is slow")
FULL = Finding("disk-full", Level.REFUSE, "phys-1", "no space", "make room", final=True)


@pytest.fixture
def journal(folder: Path) -> Journal:
    return Journal(Report("demo", "run-1", "migrate", dry_run=False), folder / "demo" / "report.json")


def on_disk(journal: Journal) -> dict[str, Any]:
    """As whoever reads the report of a run that was killed now."""
    return read_report(journal.path).as_json()


def test_a_report_is_there_before_the_first_step(journal: Journal) -> None:
    assert (on_disk(journal)["outcome"], on_disk(journal)["entries"]) == ("running", [])


def test_a_step_that_was_killed_stays_running(journal: Journal) -> None:
    journal.begin("join etcd", "phys-1")

    assert on_disk(journal)["entries"][0]["outcome"] == "running"


def test_a_step_that_ended_says_how(journal: Journal) -> None:
    entry = journal.begin("join etcd", "phys-1")
    journal.end(entry, changed("a voter", diffs=("+a",), findings=(SLOW,)), 3)

    found = on_disk(journal)["entries"][0]
    assert (found["outcome"], found["why"], found["ssh_round_trips"]) == ("changed", "a voter", 3)
    assert (found["diffs"], [finding["id"] for finding in found["findings"]]) == (["+a"], ["disk-slow"])
    assert found["seconds"] >= 0


def test_what_was_found_is_read_back_as_it_was(journal: Journal) -> None:
    journal.end(journal.begin("join etcd", "phys-1"), changed("a voter", findings=(SLOW,)), 1)
    journal.end(journal.begin("check machine", "phys-1"), FindingsError([SLOW, FULL]), 1)

    read = read_report(journal.path)
    assert [entry.findings for entry in read.entries] == [(SLOW,), (SLOW, FULL)]
    assert read.findings == [FULL, SLOW]


def test_a_retry_that_succeeds_leaves_no_refusal_of_the_attempt_before(journal: Journal) -> None:
    journal.end(journal.begin("check machine", "phys-1"), FindingsError([FULL]), 1)
    journal.end(journal.begin("check machine", "phys-1"), unchanged("fit"), 1)

    assert read_report(journal.path).findings == []


def test_what_is_no_report_is_refused_with_its_path(folder: Path) -> None:
    (folder / "report.json").write_text('{"entries": [{}]}')

    with pytest.raises(ValueError, match=r"report\.json is not a run's report"):
        read_report(folder / "report.json")


def test_attempts_of_one_step_are_one_entry_with_its_retries_counted(journal: Journal) -> None:
    for _ in range(3):
        journal.end(journal.begin("join etcd", "phys-1"), RefusedError("not yet", id="demo-no"), 2)
    journal.end(journal.begin("join etcd", "phys-1"), changed("a voter"), 4)

    (found,) = on_disk(journal)["entries"]
    assert (found["outcome"], found["retries"], found["ssh_round_trips"]) == ("changed", 3, 10)


def test_a_step_that_runs_again_after_a_success_is_another_entry(journal: Journal) -> None:
    for _ in range(2):
        journal.end(journal.begin("join etcd", "phys-1"), unchanged("a voter"), 1)

    assert [entry["retries"] for entry in on_disk(journal)["entries"]] == [0, 0]


def test_another_targets_failure_is_not_retried_here(journal: Journal) -> None:
    journal.end(journal.begin("join etcd", "phys-1"), RefusedError("no", id="demo-no"), 1)
    journal.end(journal.begin("join etcd", "phys-2"), changed("a voter"), 1)

    assert [(entry["target"], entry["retries"]) for entry in on_disk(journal)["entries"]] == [
        ("phys-1", 0),
        ("phys-2", 0),
    ]


def test_round_trips_of_the_whole_run_are_summed(journal: Journal) -> None:
    journal.end(journal.begin("a", "phys-1"), changed("done"), 2)
    journal.end(journal.begin("b", "phys-1"), changed("done"), 5)

    assert on_disk(journal)["ssh_round_trips"] == 7


def test_the_end_of_a_run_is_kept_with_its_error(journal: Journal) -> None:
    journal.finish("failed", "etcd: no quorum")

    found = on_disk(journal)
    assert (found["outcome"], found["error"]) == ("failed", "etcd: no quorum")
    assert found["ended"]


def test_a_finished_report_is_one_whole_file_with_what_was_on_disk_before(journal: Journal) -> None:
    journal.end(journal.begin("a", "phys-1"), changed("done", findings=(SLOW,)), 2)
    before = on_disk(journal)
    journal.finish("verified")

    assert [path.name for path in journal.path.parent.iterdir()] == ["report.json"]
    whole = json.loads(journal.path.read_text())
    assert whole["entries"] == json.loads(json.dumps(before["entries"]))
    assert whole["outcome"] == "verified"


def test_a_change_writes_no_more_than_itself_however_long_the_run(journal: Journal) -> None:
    sizes = []
    for number in range(50):
        before = lines_of(journal.path).stat().st_size if number else 0
        journal.begin("step", f"phys-{number:02}")
        sizes.append(lines_of(journal.path).stat().st_size - before)

    assert max(sizes) - min(sizes) < 20


def test_a_line_that_is_half_written_is_not_read(journal: Journal) -> None:
    journal.begin("a", "phys-1")
    journal.begin("b", "phys-1")
    lines = lines_of(journal.path)
    os.truncate(lines, lines.stat().st_size - 5)

    assert [entry["step"] for entry in on_disk(journal)["entries"]] == ["a"]


def test_what_flows_say_of_the_run_is_on_disk_with_the_next_change(journal: Journal) -> None:
    journal.report.part = "ends after join"
    journal.report.before = {"voters": ["vm-1"]}
    journal.begin("a", "phys-1")

    assert (on_disk(journal)["part"], on_disk(journal)["before"]) == ("ends after join", {"voters": ["vm-1"]})


def test_what_a_step_waits_for_is_on_disk_with_the_next_change_of_any(journal: Journal) -> None:
    journal.begin("join etcd", "phys-1").awaiting = "phys-1 has caught up"
    journal.end(journal.begin("set hostname", "phys-2"), changed("is phys-2"), 1)

    assert [entry["awaiting"] for entry in on_disk(journal)["entries"]] == ["phys-1 has caught up", ""]


def test_when_a_step_began_to_act_is_on_disk(journal: Journal) -> None:
    current = under_way.set(journal.begin("join etcd", "phys-1"))
    journal.act()
    under_way.reset(current)

    assert on_disk(journal)["entries"][0]["acted"]


def test_a_killed_runs_journal_goes_on_where_it_ended(journal: Journal) -> None:
    journal.end(journal.begin("a", "phys-1"), changed("done"), 1)
    journal.begin("b", "phys-1")
    os.utime(journal.path, (100, 100))
    os.utime(lines_of(journal.path), (200, 200))

    assert last_change(journal.path) == 200
    again = Journal(read_report(journal.path), journal.path)
    again.begin("c", "phys-1")
    assert [entry["outcome"] for entry in on_disk(again)["entries"]] == ["changed", "running", "running"]


def test_the_same_step_twice_at_once_is_two_entries(journal: Journal) -> None:
    first, second = journal.begin("a", "phys-1"), journal.begin("a", "phys-1")
    journal.end(first, changed("first"), 1)
    journal.end(second, changed("second"), 1)

    assert [entry["why"] for entry in on_disk(journal)["entries"]] == ["first", "second"]


def test_steps_that_run_side_by_side_are_all_written_down(journal: Journal) -> None:
    def work(number: int) -> int:
        journal.end(journal.begin("step", f"phys-{number}"), changed("done"), 1)
        return len(on_disk(journal)["entries"])

    with ThreadPoolExecutor(8) as pool:
        seen = list(pool.map(work, range(24)))

    assert max(seen) == 24
    assert {entry["outcome"] for entry in on_disk(journal)["entries"]} == {"changed"}
