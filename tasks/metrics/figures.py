"""A run's figures for Prometheus, by its naming conventions: base units, one name for one thing, labels for the rest. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from blocks.ports import Figure
from tasks.engine.journal import Report
from tasks.report.history import ENDED_WELL, seconds_by_phase
from tasks.report.interruption import epoch

OUTCOMES = ("changed", "unchanged", "failed")
"""Of steps; each has its figure also where there was none, so that a rule on it never lacks its series."""


def figures_of(report: Report) -> list[Figure]:
    """The run as it ended: how and when, how long its phases took, what its steps did, what clients noticed, which backup there is."""
    return [*_whole(report), *_parts(report), *_clients(report), *_backup(report)]


def _whole(report: Report) -> Iterator[Figure]:
    ended = epoch(report.ended or report.begun)
    yield _figure("run_success", "Whether the newest run ended well.", report.outcome in ENDED_WELL, outcome=report.outcome)
    yield _figure("run_end_timestamp_seconds", "When it ended.", ended)
    yield _figure("run_duration_seconds", "From its begin to its end, waiting for approvals included.", ended - epoch(report.begun))


def _parts(report: Report) -> Iterator[Figure]:
    for phase, seconds in seconds_by_phase(report).items():
        yield _figure("phase_duration_seconds", "From the first begin to the last end of its steps.", seconds, phase=phase)
    outcomes = Counter(entry.outcome for entry in report.entries)
    for outcome in OUTCOMES:
        yield _figure("steps", "Steps and checks, one for each host.", outcomes[outcome], outcome=outcome)
    yield _figure("step_retries", "Attempts beyond the first ones.", sum(entry.retries for entry in report.entries))
    levels = Counter(finding.level.value for finding in report.findings)
    for level, number in levels.items():
        yield _figure("findings", "What checks and steps have found.", number, level=level)


def _clients(report: Report) -> Iterator[Figure]:
    for noticed in report.interruptions:
        series = noticed["series"]
        yield _figure("client_samples", "Requests of the probe's clients.", noticed["samples"], series=series)
        yield _figure("client_failures", "Those that got no answer.", noticed["failures"], series=series)
        yield _figure("client_longest_gap_seconds", "The longest time without an answer.", noticed["longest_gap_s"] or 0, series=series)


def _backup(report: Report) -> Iterator[Figure]:
    if "taken" in report.backup:
        yield _figure("backup_timestamp_seconds", "When the backup that the run has was taken.", epoch(report.backup["taken"]))


def _figure(name: str, means: str, value: float, **labels: str) -> Figure:
    return Figure(f"evenkeel_{name}", means, float(value), tuple(labels.items()))
