"""How long the parts of a run took: measured in its report, and expected from those of earlier runs. Pure but for reading them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from tasks.engine.journal import PLANNED, Report, read_report
from tasks.report.interruption import epoch

ENDED_WELL = ("verified", "stopped", "passed", "planned")
MOST_READ = 60  # the newest ones: nobody compares with a run of long ago


@dataclass(frozen=True)
class Expected:
    """What an earlier run lets expect of one of its kind."""

    run: str = ""
    steps: int = 0
    """How many entries it had, checks included."""
    phases: tuple[str, ...] = ()
    """Its phases, in the order in which they began."""
    seconds: dict[str, float] = field(default_factory=dict)
    """By phase; what no earlier run has done is not in it."""


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


def expected_of(earlier: Iterable[Report], like: Report, *, dry: bool = False) -> Expected:
    """What a run with the same machines has taken before: per phase the newest that really did it; with `dry`, the newest dry run."""
    same = [one for one in earlier if one.run != like.run and one.flow == like.flow and _machines(one) == _machines(like)]
    alike = [one for one in same if one.outcome in ENDED_WELL and (one.dry_run or not dry)]
    seconds: dict[str, float] = {}
    for report in alike:
        measured = seconds_by_phase(report)
        seconds |= {name: took for name, took in measured.items() if name not in seconds and (dry or _was_done(report, name))}
    whole = next((one for one in alike if one.outcome in ("verified", PLANNED) and one.part == like.part), None)
    return Expected(whole.run, len(whole.entries), tuple(seconds_by_phase(whole)), seconds) if whole else Expected(seconds=seconds)


def _was_done(report: Report, phase: str) -> bool:
    """Whether it took its time in full: checks that were made do, steps where one of them has changed the world."""
    entries = [entry for entry in report.entries if entry.phase == phase]
    acted = any(entry.outcome == "changed" for entry in entries)
    return acted or not any(entry.undo or entry.outcome == PLANNED for entry in entries)


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
