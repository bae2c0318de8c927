"""What clients noticed: gaps between answers, the steps that ran meanwhile, and the budget that stops a run."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from blocks.errors import DeadlineExceededError, HostError, RefusedError
from blocks.ports import Probe
from configs.platform import Interruption
from tasks.engine.journal import Entry, Report
from tasks.engine.waiting import wait_until

SAMPLES = "samples.jsonl"
"""The probe's file, beside the report."""
NOTABLE_S = 0.5  # a sample begins every 0.2 s: shorter gaps come from the pace, or from a busy machine here
ANSWER_S = 60  # before an act; what takes longer is no election, no hand-over and no restarted pod


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
    """Stops a run before its next change when clients have waited longer than the config allows while it acted."""

    def __init__(
        self, samples: Samples, limits: Interruption, report: Report, probe: Probe, now: Callable[[], float]
    ) -> None:
        self._samples, self._limits, self._report, self._probe, self._now = samples, limits, report, probe, now

    def check(self) -> None:
        """Raises InterruptionError, naming the steps that acted meanwhile. While nothing acts, gaps cost nothing: no act begins
        amid one that is too long, but it waits until clients get answers again.
        """
        self._refuse_breach()
        try:
            wait_until("clients get answers", lambda: not self._silent(), timeout_s=ANSWER_S, still=self._silent, id="clients-unanswered")
        except DeadlineExceededError as error:
            raise InterruptionError(
                f"clients: no answer before the next change, though no step acts: {self._silent()}: mend the service, then run the "
                "same command again",
                id="clients-unanswered",
            ) from error
        self._refuse_breach()

    def _refuse_breach(self) -> None:
        for series, limit in self._limited():
            gaps = filter(None, (*series.gaps, series.longest, series.open_gap(self._now())))
            counted = [(_counted_s(gap, self._report.entries), gap) for gap in gaps if gap.seconds > limit]
            seconds, worst = max(counted, key=lambda one: one[0], default=(0.0, None))
            if worst is not None and seconds > limit:
                raise InterruptionError(
                    f"clients: {series.name}: no answer for {seconds:.1f} s, {limit:g} s are allowed, during "
                    f"{', '.join(during_of(worst, self._report.entries))}{': ' + series.error if series.error else ''}: what is done "
                    "stays done: find out why, then run the same command again to go on"
                )

    def _silent(self) -> str:
        """The series that get no answer now, and for how long."""
        gaps = ((series, limit, series.open_gap(self._now())) for series, limit in self._limited())
        return "; ".join(f"{one.name} for {gap.seconds:.0f} s: {one.error}" for one, limit, gap in gaps if gap and gap.seconds > limit)

    def _limited(self) -> list[tuple[Series, float]]:
        """Every series that has a limit, as it is now. Raises InterruptionError when nobody samples any more."""
        try:
            self._probe.check()
        except HostError as error:
            raise InterruptionError(error.message, id=error.id) from error
        limits = ((series, self._limits.of(series.name)) for series in self._samples.refresh().values())
        return [(series, limit) for series, limit in limits if limit is not None]


def during_of(gap: Gap, entries: Iterable[Entry]) -> list[str]:
    """The steps, with their targets, that acted in the gap."""
    return [f"{entry.step} on {entry.target}" for entry in _acting(gap, entries)]


def _counted_s(gap: Gap, entries: Iterable[Entry]) -> float:
    """How much of it is ours: from the first act in it to its end, also when that act has ended before."""
    acted = [epoch(entry.acted) for entry in _acting(gap, entries) if entry.acted]
    return gap.ended - max(gap.begun, min(acted)) if acted else 0.0


def _acting(gap: Gap, entries: Iterable[Entry]) -> list[Entry]:
    """What was between its first act and the end of its verification at some time in the gap."""
    return [
        entry
        for entry in entries
        if entry.acted and epoch(entry.acted) < gap.ended and (entry.ended is None or epoch(entry.ended) > gap.begun)
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
