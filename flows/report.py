"""The end of a run, told three times: in its report.json, in the log, and as an artifact in Prefect's UI.

A killed run tells nothing; the next one does it for it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import httpx
from prefect.artifacts import create_markdown_artifact
from prefect.exceptions import PrefectException

from configs.platform import Interruption, Platform
from tasks.engine.journal import Journal, read_report
from tasks.report.chart import chart
from tasks.report.interruption import Samples, told
from tasks.report.summary import markdown

log = logging.getLogger(__name__)

SAMPLES = "samples.jsonl"
"""What the probe writes, beside the report."""


@contextmanager
def reported(journal: Journal) -> Iterator[None]:
    """Close the report with how the run ended, whatever that was."""
    report = journal.report
    try:
        yield
    except BaseException as error:
        journal.finish("failed", _in_words(error))
        raise
    else:
        journal.finish("planned" if report.dry_run else "verified")
    finally:
        text = _written(journal)
        log.info("%s", text)
        _show(journal, text)


def close_killed(platform: Platform, own: str) -> None:
    """Close the reports of runs that were killed, with what clients noticed until then.

    Who asks holds the lock, so no other run that acts is alive. Dry runs take no lock, and are left alone.
    """
    for path in sorted((platform.reports / platform.name).glob("*/report.json")):
        try:
            report = read_report(path)
        except ValueError as error:
            log.warning("left alone: %s", error)
            continue
        if report.outcome != "running" or report.dry_run or report.run == own:
            continue
        last_word = datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat(timespec="milliseconds")
        journal = Journal(report, path)
        if platform.interruption is not None and path.with_name(SAMPLES).exists():
            tell_of_clients(journal, Samples(path.with_name(SAMPLES)), platform.interruption)
        doing = ", ".join(f"{entry.step} on {entry.target}" for entry in report.entries if entry.outcome == "running")
        journal.finish("killed", f"its process ended without a word during {doing or 'no step'}", at=last_word)
        _written(journal)
        log.warning("run %s was killed: its report is closed: %s", report.run, path.with_name("report.md").absolute())


def tell_of_clients(journal: Journal, samples: Samples, limits: Interruption) -> None:
    """Put what clients noticed into the report, and draw it beside it."""
    series = list(samples.refresh().values())
    journal.report.interruptions = told(series, limits, journal.report.entries)
    picture = journal.path.with_name("clients.svg")
    picture.write_text(chart(journal.report, series), encoding="utf-8")
    log.info("clients: what they noticed is drawn in %s", picture.absolute())


def _in_words(error: BaseException) -> str:
    if isinstance(error, Exception):
        return str(error) or type(error).__name__
    return f"the run was stopped from outside ({error!r}): the same command goes on"  # a signal, Ctrl-C, the worker's end


def _written(journal: Journal) -> str:
    text = markdown(journal.report)
    journal.path.with_name("report.md").write_text(text, encoding="utf-8")
    return text


def _show(journal: Journal, text: str) -> None:
    """Put the report into the UI. A server that is away does not turn a finished run into a failed one."""
    report = journal.report
    try:
        create_markdown_artifact(
            text, key=f"report-{report.platform}", description=f"{report.flow} {report.run}: {journal.path.absolute()}"
        )
    except (PrefectException, httpx.HTTPError) as error:
        log.warning("the report is in %s only, the UI could not be told: %s", journal.path, error)
