"""How a run ended: in its report.json, in the log, and as an artifact in Prefect's UI.

A killed run can't write it; the next run does.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from prefect.artifacts import create_markdown_artifact

from configs.platform import Interruption, Platform
from tasks.engine.journal import PLANNED, RUNNING, Journal, Report, last_change, read_report
from tasks.plan.page import as_html, as_markdown
from tasks.plan.plan import plan_of
from tasks.report.chart import chart
from tasks.report.history import expected_of, reports_in
from tasks.report.interruption import SAMPLES, Samples, interruptions_of
from tasks.report.page import index, page
from tasks.report.summary import markdown

log = logging.getLogger(__name__)


@contextmanager
def reported(journal: Journal) -> Iterator[None]:
    """Close the report with the run's outcome, also when it fails or is stopped."""
    report = journal.report
    try:
        yield
    except BaseException as error:
        journal.finish("failed", _in_words(error))
        raise
    else:
        journal.finish(report.success)
    finally:
        text = _written(journal)
        _show(journal, text, "report")
        if report.dry_run and report.success == PLANNED:
            text = _planned(journal)
            _show(journal, text, "plan")
        log.info("%s", text)
        _draw(journal)


def close_killed(platform: Platform, own: str) -> None:
    """Close the reports of killed runs, with what clients noticed until then.

    The caller holds the lock, so no other run is active. Dry runs take no lock: their reports stay as they are.
    """
    for path in sorted((platform.reports / platform.name).glob("*/report.json")):
        try:
            report = read_report(path)
        except ValueError as error:
            log.warning("not closed: %s", error)
            continue
        if report.outcome != RUNNING or report.dry_run or report.run == own:
            continue
        last_word = datetime.fromtimestamp(last_change(path), UTC).isoformat(timespec="milliseconds")
        journal = Journal(report, path)
        if platform.interruption is not None and path.with_name(SAMPLES).exists():
            report_interruptions(journal, Samples(path.with_name(SAMPLES)), platform.interruption)
        doing = ", ".join(f"{entry.step} on {entry.target}" for entry in report.entries if entry.outcome == RUNNING)
        journal.finish("killed", f"its process ended without an error during {doing or 'no step'}", at=last_word)
        _written(journal)
        _draw(journal)
        log.warning("run %s was killed: its report is closed: %s", report.run, path.with_name("report.md").absolute())


def report_interruptions(journal: Journal, samples: Samples, limits: Interruption) -> None:
    """Put what clients noticed into the report, and draw it in clients.svg beside it."""
    series = list(samples.refresh().values())
    journal.report.interruptions = interruptions_of(series, limits, journal.report.entries)
    picture = journal.path.with_name("clients.svg")
    picture.write_text(chart(journal.report, series), encoding="utf-8")
    log.info("clients: what they noticed is drawn in %s", picture.absolute())


def _in_words(error: BaseException) -> str:
    if isinstance(error, Exception):
        return str(error) or type(error).__name__
    return f"the run was stopped from outside ({error!r}): the same command continues it"  # a signal, Ctrl-C, the worker's end


def _written(journal: Journal) -> str:
    text = markdown(journal.report)
    journal.path.with_name("report.md").write_text(text, encoding="utf-8")
    return text


def _planned(journal: Journal) -> str:
    """The plan that a dry run has made: in the log, and beside its report as text and as a page."""
    earlier = (report for _, report in reports_in(journal.path.parent.parent))
    plan = plan_of(journal.report, expected_of(earlier, journal.report))
    text = as_markdown(plan)
    journal.path.with_name("plan.md").write_text(text, encoding="utf-8")
    journal.path.with_name("plan.html").write_text(as_html(plan), encoding="utf-8")
    log.info("the plan of this run is %s", journal.path.with_name("plan.html").absolute())
    return text


def _draw(journal: Journal) -> None:
    """Write the run's page, and the index of all runs anew. A page that can't be drawn never turns a finished run into a failed one."""
    folder = journal.path.parent
    try:
        folder.joinpath("report.html").write_text(page(journal.report), encoding="utf-8")
        links = [(_link(path, folder.parent.parent), report) for path, report in _all_reports(folder)]
        half = folder.parent.parent / f"index.{folder.name}.half"
        half.write_text(index(links), encoding="utf-8")
        half.replace(half.with_name("index.html"))
    except Exception as error:
        log.warning("the report is in %s only, its page could not be drawn: %r", journal.path, error)
        return
    log.info("the page of this run is %s", folder.joinpath("report.html").absolute())


def _link(path: Path, root: Path) -> str:
    """To the run's page; a run of an earlier release has its text only."""
    page = path.with_name("report.html")
    return str((page if page.exists() else path.with_name("report.md")).relative_to(root))


def _all_reports(folder: Path) -> list[tuple[Path, Report]]:
    """Of all platforms, newest first."""
    platforms = [platform for platform in folder.parent.parent.iterdir() if platform.is_dir()]
    return sorted((one for platform in platforms for one in reports_in(platform)), key=lambda one: one[1].begun, reverse=True)


def _show(journal: Journal, text: str, kind: str) -> None:
    report, drawn = journal.report, journal.path.with_name(f"{kind}.html")
    show(text, f"{kind}-{report.platform}", f"{report.flow} {report.run}: {drawn.absolute()}")


def show(text: str, key: str, description: str) -> None:
    """Show a text in Prefect's UI. A server that does not answer never turns a finished run into a failed one."""
    try:
        create_markdown_artifact(text, key=key, description=description)
    except Exception as error:  # its client raises what it meets on the way: httpx's errors, RuntimeError, its own
        log.warning("Prefect's UI does not show %s, %s: %r", key, description, error)
