"""What the benchmark of the migration makes of its rounds: medians, ratios, tables. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

from tasks.engine.journal import Report
from tasks.report.history import seconds_by_phase
from tests.bench.critical_path import by_step, critical_path
from tests.bench.measure import middle_ratio

HAND, MIGRATE = "by hand", "migrate"
PHASES = {
    "preflight": "preflight",
    "backup": "backup",
    "canary": "canary and join",
    "join": "canary and join",
    "drain": "drain",
    "keepalived": "keepalived",
    "retire": "retire",
    "verify": "verify",
}
"""Rows of the table, by the phases that they consist of: by hand no target goes first."""
AROUND, ALL = "before, between and after", "**command to prompt**"
OF_RUNS = (
    "run of migrate", "command to prompt, s", "run, s", "critical path, s", "before its first step, s", "gaps, s",
    "after its last step, s", "longest gaps, s",
)  # fmt: skip
MOST_GAPS = 5
GAPS_FROM_S = 0.5


@dataclass(frozen=True)
class Move:
    """One move of the platform: from the command to the prompt, by phase, and what else is known of it."""

    elapsed_s: float
    phases: dict[str, float]
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def rows(self) -> dict[str, float]:
        """Seconds by row of the table; what is in no phase is a row of its own."""
        total: dict[str, float] = {}
        for phase, seconds in self.phases.items():
            total[PHASES[phase]] = total.get(PHASES[phase], 0.0) + seconds
        return {**total, AROUND: self.elapsed_s - sum(self.phases.values()), ALL: self.elapsed_s}


Turns = dict[str, list[Move | None]]
"""By way, the move of each round; None where it failed."""


def move_of(report: Report, elapsed_s: float) -> Move:
    """What a report says of a run of `migrate`, with its critical path."""
    path = critical_path(report)
    gaps = [[*pair, round(seconds, 3)] for pair, seconds in path.gaps.items()]
    said = {
        "run": round(path.seconds + path.beyond, 3),
        "path": round(path.seconds, 3),
        "first": round(path.links[0].gap, 3) if path.links else 0.0,
        "rest": round(path.rest, 3),
        "steps": {step: round(seconds, 3) for step, seconds in by_step(path).items()},
        "entries": dict(Counter(link.entry.step for link in path.links)),
        "waited": {step: round(seconds, 3) for step, seconds in by_step(path, lambda link: link.gap).items()},
        "gaps": sorted(gaps, key=lambda gap: float(gap[2]), reverse=True),
    }
    return Move(elapsed_s, seconds_by_phase(report), said)


def as_json(turns: Turns) -> dict[str, Any]:
    """All moves, and the ratio of the whole ones."""
    moves = {way: [asdict(move) if move else None for move in done] for way, done in turns.items()}
    return {"turns": moves, "migrate_to_by_hand": ratio(turns, ALL)}


def ratio(turns: Turns, row: str) -> float | None:
    """Of migrate to the move by hand, in the rounds in which neither failed."""
    pairs = zip(turns[MIGRATE], turns[HAND], strict=False)
    return middle_ratio([(ours.rows.get(row, 0.0), other.rows.get(row, 0.0)) for ours, other in pairs if ours and other])


def middle(turns: Turns, way: str, row: str) -> float | None:
    """The median of the moves that did not fail."""
    seconds = [move.rows.get(row, 0.0) for move in turns[way] if move]
    return median(seconds) if seconds else None


def tables(turns: Turns) -> str:
    """In Markdown: the phases of both ways, the runs' critical paths, and that of the middle run by step."""
    return "\n\n".join(table for table in (by_phase(turns), by_run(turns), path_by_step(turns)) if table)


def by_phase(turns: Turns) -> str:
    lines = ["| phase | by hand, s | migrate, s | migrate : by hand |", "|---|---:|---:|---:|"]
    for row in dict.fromkeys((*PHASES.values(), AROUND, ALL)):
        shown = [_number(middle(turns, way, row)) for way in (HAND, MIGRATE)]
        compared = ratio(turns, row) if row != AROUND else None
        lines.append(f"| {row} | {shown[0]} | {shown[1]} | {_number(compared, 2)} |")
    return "\n".join(lines)


def by_run(turns: Turns) -> str:
    """Of each run of migrate: how long, its critical path, and what was spent beyond it."""
    runs = [move for move in turns[MIGRATE] if move]
    if not runs:
        return ""
    lines = (_line(number, move) for number, move in enumerate(runs, start=1))
    return "\n".join((f"| {' | '.join(OF_RUNS)} |", "|---:" * (len(OF_RUNS) - 1) + "|---|", *lines))


def path_by_step(turns: Turns) -> str:
    """The critical path of the middle run."""
    runs = sorted((move for move in turns[MIGRATE] if move), key=lambda move: move.elapsed_s)
    if not runs:
        return ""
    said = runs[len(runs) // 2].more
    rows = (f"| {step} | {said['entries'][step]} | {took:.1f} | {said['waited'][step]:.1f} |" for step, took in said["steps"].items())
    return "\n".join(("| on the critical path | times | s | gaps before, s |", "|---|---:|---:|---:|", *rows))


def _line(number: int, move: Move) -> str:
    said = move.more
    gaps = said["run"] - said["path"] - said["first"] - said["rest"]
    numbers = (move.elapsed_s, said["run"], said["path"], said["first"], gaps, said["rest"])
    between = [gap for gap in said["gaps"] if gap[0] and gap[1] and gap[2] >= GAPS_FROM_S][:MOST_GAPS]
    words = "; ".join(f"{before}, {after}: {seconds:.1f}" for before, after, seconds in between)
    return f"| {number} | {' | '.join(map(_number, numbers))} | {words or '-'} |"


def _number(value: float | None, digits: int = 1) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
