"""The migration beside the same move by hand, in turns on fresh labs: by phase, and what each run could not have been faster than.

python -m tests.bench.migration --rounds 3 [--weight field]
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated

import typer

from configs.load import load_platform
from deployments import orchestrator, rehearse
from tasks.engine.journal import read_report
from tests.bench.hand import MOST_S, move_by_hand
from tests.bench.measure import FailedError
from tests.bench.moves import HAND, MIGRATE, Move, Turns, as_json, move_of, tables

CONFIG = orchestrator.ROOT / "configs/lab.yaml"
OUTPUT = orchestrator.RUN / "bench"
WEIGHT = "LAB_WEIGHT"
SWITCHES = ("LAB_ETCD_TLS", "LAB_LAKE", "LAB_K3S_TOKEN", "LAB_K3S_VERSION", "LAB_K3S_BUNDLE")

app = typer.Typer(add_completion=False, help=__doc__)


@app.command()
def main(
    rounds: Annotated[int, typer.Option(help="of both ways, in turns", min=1)] = 3,
    weight: Annotated[str, typer.Option(help="none, or field: targets take as long as with real tars and disks")] = "none",
    output: Annotated[Path, typer.Option(help="folder for all numbers, the tables, reports and logs")] = OUTPUT,
) -> None:
    """Measure, in turns, and print the tables for docs/performance.md."""
    refuse_switches(os.environ)
    os.environ[WEIGHT] = weight  # the lab itself judges it
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that Prefect's processes end, too
    turns: Turns = {HAND: [], MIGRATE: []}
    how = f"python -m tests.bench.migration --rounds {rounds}{'' if weight == 'none' else f' --weight {weight}'}"
    for number in range(rounds):
        for way in in_turn(number):
            folder = output / weight / f"round-{number + 1}"
            folder.mkdir(parents=True, exist_ok=True)
            turns[way].append(measured(way, folder))
            keep(turns, output / weight, how)  # after each move: a measurement that is stopped has measured something
    lab("down")
    typer.echo(f"\n{tables(turns)}\n\n{how}")
    if any(move is None for moves in turns.values() for move in moves):
        raise SystemExit(1)


def refuse_switches(environment: Mapping[str, str]) -> None:
    """Raise SystemExit where the lab would not be the one that the script by hand is written for."""
    if given := [name for name in SWITCHES if environment.get(name)]:
        raise SystemExit(f"{', '.join(given)}: the move by hand is written for a lab without: unset {' '.join(given)}")


def in_turn(number: int) -> list[str]:
    """Which way goes first changes from round to round: whatever this machine gets used to is as good for the other one."""
    ways = [HAND, MIGRATE]
    return ways if number % 2 == 0 else ways[::-1]


def measured(way: str, folder: Path) -> Move | None:
    """One move on a fresh lab, or None with the reason said: what did not do its work is no measure."""
    move: Callable[[Path], Move] = {HAND: by_hand, MIGRATE: by_migrate}[way]
    try:
        done = move(folder)
    except FailedError as error:
        typer.echo(f"{folder.name}, {way}: {error}", err=True)
        return None
    typer.echo(f"{folder.name}, {way}: {done.elapsed_s:.1f} s")
    return done


def by_hand(folder: Path) -> Move:
    """The script's move, without Prefect beside it."""
    lab("up", "--fresh")
    return move_by_hand(load_platform(CONFIG), {**os.environ, **rehearse.lab_secrets()}, folder / "by_hand.log")


def by_migrate(folder: Path) -> Move:
    """The move as operators make it: the deployment, run by a worker, and watched."""
    lab("up", "--fresh")
    orchestrator.start_server()
    try:
        orchestrator.await_server()
        orchestrator.start_worker(rehearse.lab_secrets())
        return _watched(folder)
    finally:
        orchestrator.stop("worker")
        orchestrator.stop("server")


def _watched(folder: Path) -> Move:
    begun, since = time.monotonic(), time.time()
    words = [orchestrator.BIN / "prefect", "deployment", "run", "migrate/lab", "--watch", "--watch-timeout", str(MOST_S)]
    with (folder / "migrate.log").open("w") as log:
        said = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log}
        done = subprocess.run(words, cwd=orchestrator.ROOT, env=orchestrator.environment(), **said, check=False)
    elapsed = time.monotonic() - begun
    path = rehearse.newest_report(since)
    if path is None:
        raise FailedError(f"migrate: exit code {done.returncode}, no report: see {folder / 'migrate.log'}")
    shutil.copy(path, folder / "report.json")
    report = read_report(path)
    if done.returncode != 0 or report.outcome != "verified":
        raise FailedError(f"migrate: exit code {done.returncode}, {report.outcome}: {report.error}: see {path}")
    return move_of(report, elapsed)


def keep(turns: Turns, folder: Path, how: str) -> None:
    """Write all numbers and the tables as they are by now; what they were measured on is said without its name."""
    said = {"command": how, "processors": os.cpu_count(), "commit": _commit(), **as_json(turns)}
    _replace(folder / "migration.json", json.dumps(said, indent=1) + "\n")
    done = min(len(moves) for moves in turns.values())
    words = f"Medians of {done} rounds, in turns on fresh labs, on {os.cpu_count()} processors. To reproduce it, as root: `{how}`."
    _replace(folder / "migration.md", f"{words}\n\n{tables(turns)}\n")


def _replace(path: Path, text: str) -> None:
    half = path.with_name(f"{path.name}.half")
    half.write_text(text, encoding="utf-8")
    half.replace(path)


def _commit() -> str:
    words = ["git", "rev-parse", "--short", "HEAD"]
    return subprocess.run(words, cwd=orchestrator.ROOT, capture_output=True, text=True, check=False).stdout.strip()


def lab(*words: str) -> None:
    """Run the lab's own command; without a lab there is nothing to measure."""
    if subprocess.run([orchestrator.BIN / "lab", *words], cwd=orchestrator.ROOT, check=False).returncode != 0:
        raise SystemExit(f"lab {' '.join(words)} failed, see above")


if __name__ == "__main__":
    app()
