"""One flow, killed at moment after moment until none is left, each time restarted by the same command."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from deployments import orchestrator
from tests.faults.during import Trigger
from tests.faults.killer import Point
from tests.lab import world

KILLED = re.compile(r"^killed (\[\[.+\]\])$", re.MULTILINE)
RUN_S = 900


@dataclass(frozen=True)
class Kill:
    """Where a run was killed: moment, target and what was done there, of all that went on side by side."""

    points: tuple[Point, ...]

    def __str__(self) -> str:
        return "\n".join(f"{moment}, {target}: {doing}" for moment, target, doing in self.points)


def run_until_killed(flow: str, ledger: Path, moments: tuple[str, ...], secrets: dict[str, str]) -> Kill | None:
    """Run the flow; where it was killed, or None if it came to its end. Fails when it ended in any other way."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.killer", flow, str(ledger), *moments],
        cwd=world.ROOT, env={**orchestrator.environment(), **secrets}, capture_output=True, text=True, check=False,
        start_new_session=True, timeout=RUN_S,
    )
    killed = KILLED.search(done.stderr)
    if done.returncode == 0:
        return None
    assert done.returncode == -9, done.stderr[-4000:]
    assert killed is not None, done.stderr[-4000:]
    return Kill(tuple((moment, target, doing) for moment, target, doing in json.loads(killed[1])))


def kill_in_act(doing: str, nth: int, secrets: dict[str, str], config: Path = world.ROOT / "configs/lab.yaml") -> None:
    """Run `migrate`, and kill its whole process group in the middle of the nth such act."""
    kill = Trigger(moment="in act", doing=doing, command=("sh", "-c", "kill -KILL 0"), nth=nth)
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.during", "migrate", str(config), json.dumps([kill.model_dump()])],
        cwd=world.ROOT, env={**orchestrator.environment(), **secrets}, capture_output=True, text=True, check=False,
        start_new_session=True, timeout=RUN_S,
    )
    assert done.returncode == -9, done.stderr[-4000:]


def run_to_the_end(
    flow: str,
    ledger: Path,
    moments: tuple[str, ...],
    secrets: dict[str, str],
    *,
    after_each: Callable[[Kill], None],
    at_most: int | None = None,
) -> list[Kill]:
    """Kill the flow at every such moment, `at_most` so many times; it has ended, whole, when this returns."""
    kills: list[Kill] = []
    while at_most is None or len(kills) < at_most:
        killed = run_until_killed(flow, ledger, moments, secrets)
        if killed is None:
            return kills
        kills.append(killed)
        after_each(killed)
    assert run_until_killed(flow, ledger, (), secrets) is None
    return kills
