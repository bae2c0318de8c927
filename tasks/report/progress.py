"""How far a run is: for those who watch it from elsewhere. Pure."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from tasks.engine.finding import Level
from tasks.engine.journal import Entry, Report
from tasks.report.history import Expected, lasting
from tasks.report.interruption import epoch

MOST_WARNINGS = 5


@dataclass(frozen=True)
class Now:
    """A step that runs, and what it waits for."""

    step: str
    target: str
    seconds: float
    awaiting: str = ""

    def __str__(self) -> str:
        return f"{self.step} on {self.target}, for {lasting(self.seconds)}" + (f": {self.awaiting}" if self.awaiting else "")


@dataclass(frozen=True)
class Progress:
    """What one look at a running journal says. Times are seconds since the epoch."""

    run: str
    flow: str
    platform: str
    dry_run: bool
    at: float
    phase: str
    done: int
    total: int | None
    """Of an earlier run or a plan; None without one."""
    left_s: float | None
    """None where a phase that is still to come was never measured."""
    now: list[Now] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    hosts: dict[str, dict[str, str]] = field(default_factory=dict)
    """By host, the outcome of each step there, in the order in which they began."""

    @property
    def headline(self) -> str:
        """In words, on one line."""
        of = f" of {self.total}" if self.total is not None else ""
        left = "time left unknown" if self.left_s is None else f"about {lasting(self.left_s)} left"
        return f"step {self.done + bool(self.now)}{of}, phase {self.phase or '-'}, {left}"

    @property
    def text(self) -> str:
        """For Prefect's UI, in Markdown."""
        lines = [f"**{self.headline}**", ""]
        lines += [f"- {one}" for one in self.now]
        lines += ["", *(f"- {warning}" for warning in self.warnings)]
        return "\n".join(lines)

    def as_json(self) -> str:
        return json.dumps(asdict(self))


def progress_of(report: Report, phase: str, expected: Expected, at: float) -> Progress:
    """How far the run of this report is at this time."""
    entries = list(report.entries)  # others append meanwhile
    running = [entry for entry in entries if entry.ended is None]
    done = len(entries) - len(running)
    total = max(expected.steps, len(entries)) if expected.steps else None
    now = [Now(entry.step, entry.target, max(0.0, at - epoch(entry.begun)), entry.awaiting) for entry in running]
    hosts: dict[str, dict[str, str]] = {}
    for entry in entries:
        hosts.setdefault(entry.target, {})[entry.step] = entry.outcome
    left = _left_s(entries, phase, expected, at)
    return Progress(report.run, report.flow, report.platform, report.dry_run, at, phase, done, total, left, now, _warnings(report), hosts)


def read_progress(text: str) -> Progress:
    """What `as_json` has written. Raises ValueError for anything else."""
    try:
        raw: dict[str, Any] = json.loads(text)
        return Progress(**{**raw, "now": [Now(**one) for one in raw["now"]]})
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a run's progress: {error!r}") from error


def _left_s(entries: list[Entry], phase: str, expected: Expected, at: float) -> float | None:
    """The rest of this phase, and all that come after it in the run that is compared with."""
    later = expected.phases[expected.phases.index(phase) + 1 :] if phase in expected.phases else ()
    if phase not in expected.phases or not {phase, *later} <= expected.seconds.keys():
        return None
    begun = min((epoch(entry.begun) for entry in entries if entry.phase == phase), default=at)
    rest = max(0.0, expected.seconds[phase] - (at - begun))
    return rest + sum(expected.seconds[one] for one in later)


def _warnings(report: Report) -> list[str]:
    """The last ones: of findings, and of steps that failed or were tried again."""
    found = [str(finding) for finding in report.findings if finding.level is not Level.NOTE and not finding.accepted]
    troubled = [entry for entry in list(report.entries) if entry.retries or entry.outcome == "failed"]
    failed = [f"{one.target}: {one.step}: {one.outcome}, {one.retries} retries: {one.why}" for one in troubled]
    return [*found, *failed][-MOST_WARNINGS:]
