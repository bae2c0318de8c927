"""How a run ended is reported: by itself, or, when it was killed, by the next run."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from configs.platform import Platform
from flows.report import close_killed, reported
from flows.session import Session
from tasks.engine.journal import Journal, Report, lines_of, read_report
from tasks.engine.outcome import unchanged
from tasks.report.interruption import SAMPLES, epoch
from tests.fakes.platform import platform
from tests.fakes.world import World
from tests.flows.sessions import perform

LAST_WORD = "2026-03-01T02:00:00.000+00:00"


@pytest.fixture
def demo(folder: Path) -> Platform:
    return platform(reports=folder, interruption={"http_s": 1})


def left_behind(demo: Platform, run: str = "run-1", *, dry_run: bool = False) -> Journal:
    """The report of a run that was killed while phys-1 joined."""
    journal = Journal(Report(demo.name, run, "migrate", dry_run), demo.reports / demo.name / run / "report.json")
    journal.end(journal.begin("set hostname", "phys-1"), unchanged("is phys-1"), 1)
    journal.begin("join etcd", "phys-1")
    os.utime(lines_of(journal.path), (epoch(LAST_WORD), epoch(LAST_WORD)))
    os.utime(journal.path, (0, 0))
    return journal


def test_a_killed_runs_report_says_what_it_was_doing_and_when_it_was_last_written(demo: Platform) -> None:
    journal = left_behind(demo)

    close_killed(demo, own="run-2")

    found = read_report(journal.path)
    assert (found.outcome, found.ended) == ("killed", LAST_WORD)
    assert "join etcd on phys-1" in journal.path.with_name("report.md").read_text()


def test_what_clients_noticed_until_then_is_reported_and_drawn(demo: Platform) -> None:
    journal = left_behind(demo)
    rows = [{"at": 100.0 + n, "series": "http web", "ms": 3.0, "error": "" if n else "refused"} for n in range(3)]
    journal.path.with_name(SAMPLES).write_text("".join(json.dumps(row) + "\n" for row in rows))

    close_killed(demo, own="run-2")

    (web,) = read_report(journal.path).interruptions
    assert (web["samples"], web["failures"]) == (3, 1)
    assert journal.path.with_name("clients.svg").read_text().startswith("<svg")


@pytest.mark.parametrize(("run", "dry_run"), [("run-2", False), ("run-1", True)], ids=["its own", "a dry run's"])
def test_the_report_of_a_run_that_may_be_active_is_not_touched(demo: Platform, run: str, dry_run: bool) -> None:
    journal = left_behind(demo, run, dry_run=dry_run)
    before = {path: path.read_bytes() for path in journal.path.parent.iterdir()}

    close_killed(demo, own="run-2")

    assert {path: path.read_bytes() for path in journal.path.parent.iterdir()} == before


def test_a_run_that_is_stopped_from_outside_says_so(world: World) -> None:
    def end(session: Session) -> None:
        with reported(session.run.journal):
            raise SystemExit(1)

    with pytest.raises(SystemExit):
        perform(end, world)

    found = read_report(world.folder / "reports" / "run-1" / "report.json")
    assert found.error == "the run was stopped from outside (SystemExit(1)): the same command continues it"


@pytest.mark.parametrize("error", [RuntimeError("Failed to reach API"), ConnectionRefusedError(111)], ids=["server", "socket"])
def test_a_prefect_server_that_does_not_answer_fails_no_run(
    demo: Platform, error: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away(*_args: object, **_named: object) -> None:
        raise error

    monkeypatch.setattr("flows.report.create_markdown_artifact", away)
    journal = left_behind(demo)

    with reported(journal):
        pass

    assert read_report(journal.path).outcome == "verified"
    assert f"Prefect's UI does not show report-demo, migrate run-1: {journal.path.with_name('report.html')}: {error!r}" in caplog.messages


def test_a_file_that_is_no_report_stops_nothing(demo: Platform) -> None:
    strange = demo.reports / demo.name / "run-0" / "report.json"
    strange.parent.mkdir(parents=True)
    strange.write_text("[]")
    journal = left_behind(demo)

    close_killed(demo, own="run-2")

    assert read_report(journal.path).outcome == "killed"


def test_every_run_has_a_page_and_the_index_leads_to_it(demo: Platform) -> None:
    left_behind(demo)
    left_behind(demo, "run-0", dry_run=True)  # which is left as it is: nobody draws its page
    close_killed(demo, own="run-2")
    with reported(Journal(Report(demo.name, "run-2", "migrate", dry_run=False), demo.reports / demo.name / "run-2" / "report.json")):
        pass

    index = (demo.reports / "index.html").read_text()
    links = re.findall(r'href="([^"]+)"', index)
    assert sorted(links) == ["demo/run-0/report.md", "demo/run-1/report.html", "demo/run-2/report.html"]
    assert (demo.reports / "demo/run-2/report.html").read_text().startswith("<!DOCTYPE html>")
    assert list(demo.reports.glob("*.half")) == []


def test_a_page_that_can_not_be_drawn_fails_no_run(demo: Platform, caplog: pytest.LogCaptureFixture) -> None:
    journal = left_behind(demo)
    journal.path.with_name("report.html").mkdir()

    with reported(journal):
        pass

    assert read_report(journal.path).outcome == "verified"
    assert "its page could not be drawn" in caplog.text
