"""How long the parts of a run took: measured in its report, and expected from those of earlier runs. Pure but for reading them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from tasks.engine.journal import Report, read_report
from tasks.report.interruption import epoch

ENDED_WELL = ("verified", "stopped", "passed", "planned")
MOST_READ = 60  # the newest ones: nobody compares with a run of long ago


@dataclass(frozen=True)
class Expected:
    """What an earlier run lets expect of one of its kind."""

    run: str = ""
    steps: int = 0
    """How many entries it had, checks included."""
    seconds: dict[str, float] = field(default_factory=dict)
    """By phase, in the order in which they began; what no earlier run has done is not in it."""


def reports_in(folder: Path) -> Iterator[tuple[Path, Report]]:
    """The reports of a platform's runs with their paths, newest first; a file that is no report is left out."""
    for path in islice(sorted(folder.glob("*/report.json"), reverse=True), MOST_READ):
        try:
            yield path, read_report(path)
        except (OSError, ValueError):
            continue


def seconds_by_phase(report: Report) -> dict[str, float]:
    """From the first begin to the last end of each phase's entries; waiting for an approval lies between phases."""
    spans: dict[str, tuple[float, float]] = {}
    for entry in sorted(report.entries, key=lambda entry: entry.begun):
        if entry.phase and entry.ended:
            begun, ended = spans.get(entry.phase, (epoch(entry.begun), 0.0))
            spans[entry.phase] = begun, max(ended, epoch(entry.ended))
    return {phase: ended - begun for phase, (begun, ended) in spans.items()}


def expected_of(earlier: Iterable[Report], like: Report) -> Expected:
    """What a run like this one has taken before: per phase the newest run that really did it, with the same machines."""
    alike = [one for one in earlier if one.run != like.run and one.flow == like.flow and _machines(one) == _machines(like)]
    seconds: dict[str, float] = {}
    for report in alike:
        measured = seconds_by_phase(report) if report.outcome in ENDED_WELL else {}
        seconds |= {phase: took for phase, took in measured.items() if phase not in seconds and _was_done(report, phase)}
    whole = next((one for one in alike if one.outcome in ("verified", "planned") and one.part == like.part), None)
    order = {phase: rank for rank, phase in enumerate(seconds_by_phase(whole) if whole else ())}
    ranked = dict(sorted(seconds.items(), key=lambda one: order.get(one[0], len(order))))
    return Expected(whole.run, len(whole.entries), ranked) if whole else Expected(seconds=ranked)


def _was_done(report: Report, phase: str) -> bool:
    """Whether it took its time in full: checks always do, steps where one of them has changed the world."""
    entries = [entry for entry in report.entries if entry.phase == phase]
    return any(entry.outcome == "changed" for entry in entries) or not any(entry.undo for entry in entries)


def _machines(report: Report) -> object:
    return [[machine["name"] for machine in report.setting.get(kind, ())] for kind in ("sources", "targets")]


def lasting(seconds: float) -> str:
    """A duration in words, no finer than it is known."""
    whole = round(seconds)
    if whole < 90:
        return f"{whole} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min" if minutes < 48 * 60 else f"{minutes // (24 * 60)} days"
