"""The end of a run, told three times: in its report.json, in the log, and as an artifact in Prefect's UI."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from prefect.artifacts import create_markdown_artifact
from prefect.exceptions import PrefectException

from tasks.journal import Journal
from tasks.summary import markdown

log = logging.getLogger(__name__)


@contextmanager
def reported(journal: Journal) -> Iterator[None]:
    """Close the report with how the run ended, whatever that was."""
    report = journal.report
    try:
        yield
    except BaseException as error:
        journal.finish("failed", str(error) or type(error).__name__)
        raise
    else:
        journal.finish("planned" if report.dry_run else "verified")
    finally:
        text = markdown(report)
        journal.path.with_name("report.md").write_text(text, encoding="utf-8")
        log.info("%s", text)
        _show(journal, text)


def _show(journal: Journal, text: str) -> None:
    """Put the report into the UI. A server that is away does not turn a finished run into a failed one."""
    report = journal.report
    try:
        create_markdown_artifact(
            text, key=f"report-{report.platform}", description=f"{report.flow} {report.run}: {journal.path.absolute()}"
        )
    except (PrefectException, httpx.HTTPError) as error:
        log.warning("the report is in %s only, the UI could not be told: %s", journal.path, error)
