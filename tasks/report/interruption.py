"""What clients noticed: gaps between answers, the steps that ran meanwhile, and the budget that stops a run."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from blocks.errors import RefusedError
from blocks.ports import Probe
from configs.platform import Interruption
from tasks.engine.journal import Entry, Report

NOTABLE_S = 0.5  # a sample begins every 0.2 s: shorter gaps come from the pace, or from a busy machine here
PACE_S = 0.3  # a gap seems to begin up to this much earlier than what caused it


class InterruptionError(RefusedError):
    """Clients of the platform have waited longer than the config allows; no further change is begun."""

    id = "clients-waited"


@dataclass(frozen=True)
class Sample:
    """One request of a client. Times are seconds since the epoch."""

    series: str
    at: float
    ended: float
    error: str


@dataclass(frozen=True)
class Gap:
    """A time without any answer."""

    begun: float
    ended: float

    @property
    def seconds(self) -> float:
        return self.ended - self.begun


@dataclass
class Series:
    """What clients of one kind saw. A gap lies between the ends of two samples that were answered."""

    name: str
    samples: int = 0
    failures: int = 0
    error: str = ""
    """The message of the last failure."""
    longest: Gap | None = None
    gaps: list[Gap] = field(default_factory=list)
    begun: float | None = None
    answered: float | None = None
    """When the last answer came."""

    def take(self, sample: Sample) -> None:
        self.samples += 1
        self.begun = self.begun or sample.at
        if sample.error:
            self.failures, self.error = self.failures + 1, sample.error
            self.answered = self.answered or sample.at
        elif self.answered is None or sample.ended > self.answered:
            gap = Gap(self.answered or sample.at, sample.ended)
            self.answered = sample.ended
            if self.longest is None or gap.seconds > self.longest.seconds:
                self.longest = gap
            if gap.seconds >= NOTABLE_S:
                self.gaps.append(gap)

    def open_gap(self, now: float) -> Gap | None:
        """The time since the last answer."""
        return None if self.answered is None else Gap(self.answered, now)


class Samples:
    """The samples in a file that grows, by series."""

    def __init__(self, path: Path) -> None:
        self._path, self._read = path, 0
        self.series: dict[str, Series] = {}

    def refresh(self) -> dict[str, Series]:
        """Read what was written since the last call. A line that is half written is left for the next."""
        if not self._path.exists():
            return self.series
        with self._path.open("rb") as file:
            file.seek(self._read)
            whole, newline, _ = file.read().rpartition(b"\n")
        self._read += len(whole) + len(newline)
        for sample in sorted(map(_sample, whole.splitlines()), key=lambda sample: sample.ended):
            self.series.setdefault(sample.series, Series(sample.series)).take(sample)
        return self.series


class Budget:
    """Stops a run before its next change when clients have waited longer than the config allows."""

    def __init__(
        self, samples: Samples, limits: Interruption, report: Report, probe: Probe, now: Callable[[], float]
    ) -> None:
        self._samples, self._limits, self._report, self._probe, self._now = samples, limits, report, probe, now

    def check(self) -> None:
        """Raises InterruptionError, naming the steps that ran meanwhile; HostError when the probe has died."""
        self._probe.check()
        for series in self._samples.refresh().values():
            gaps = [gap for gap in (series.longest, series.open_gap(self._now())) if gap is not None]
            worst = max(gaps, key=lambda gap: gap.seconds, default=None)
            limit = self._limits.of(series.name)
            if worst is not None and limit is not None and worst.seconds > limit:
                during = ", ".join(during_of(worst, self._report.entries)) or "no step of ours"
                raise InterruptionError(
                    f"clients: {series.name}: no answer for {worst.seconds:.1f} s, {limit:g} s are allowed, during {during}"
                    f"{': ' + series.error if series.error else ''}: find out why, then run the same command again to go on"
                )


def during_of(gap: Gap, entries: Iterable[Entry]) -> list[str]:
    """The steps, with their targets, that ran in the gap and changed something."""
    return [
        f"{entry.step} on {entry.target}"
        for entry in entries
        if entry.outcome in ("changed", "failed", "running")
        # A step that is still running and began later has not acted yet.
        and epoch(entry.begun) < (gap.ended if entry.ended else gap.begun + PACE_S)
        and (entry.ended is None or epoch(entry.ended) > gap.begun)
    ]


def interruptions_of(series: Iterable[Series], limits: Interruption, entries: list[Entry]) -> list[dict[str, Any]]:
    """For the report, per series: samples, failures, the longest gap, and during which steps and on which hosts each gap was."""
    return [
        {
            "series": one.name,
            "samples": one.samples,
            "failures": one.failures,
            "longest_gap_s": round(one.longest.seconds, 2) if one.longest else None,
            "budget_s": limits.of(one.name),
            "error": one.error,
            "gaps": [
                {"begun": iso(gap.begun), "seconds": round(gap.seconds, 2), "during": during_of(gap, entries)}
                for gap in one.gaps
            ],
        }
        for one in series
    ]


def epoch(time: str) -> float:
    """A journal's time in seconds since the epoch."""
    return datetime.fromisoformat(time).timestamp()


def iso(seconds: float) -> str:
    """Seconds since the epoch as journals write times."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def _sample(line: bytes) -> Sample:
    row = json.loads(line)
    return Sample(row["series"], row["at"], row["at"] + row["ms"] / 1000, row["error"])
