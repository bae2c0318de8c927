"""A `migrate` that moves nothing, served as a deployment: python -m tests.flows.moving LEDGER

It notes when each platform begins and ends. One called `bad` fails; those called `pair-1` and `pair-2` end when both have begun, and
`held` when the ledger says so.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from prefect import flow

from configs.load import load_platform

LEDGER = "MOVING_LEDGER"
PAIR = ("pair-1 begins", "pair-2 begins")
RELEASED = "released"
WITHIN_S = 120


def note(path: Path, text: str) -> None:
    with path.open("a") as ledger:
        ledger.write(f"{text}\n")


@flow(name="moving")
def moving(config: str, dry_run: bool = False) -> str:
    name = load_platform(Path(config)).name
    ledger = Path(os.environ[LEDGER])
    note(ledger, f"{name} begins{' dry' if dry_run else ''}")
    if name.startswith("pair"):
        await_lines(PAIR)
    if name == "held":
        await_lines((RELEASED,))
    note(ledger, f"{name} ends")
    if name == "bad":
        raise ValueError("phys-2: docker does not run: systemctl start docker")
    return name


def await_lines(lines: tuple[str, ...]) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not set(lines) <= set(Path(os.environ[LEDGER]).read_text().splitlines()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"not in the ledger: {lines}")
        time.sleep(0.1)


if __name__ == "__main__":
    os.environ[LEDGER] = sys.argv[1]
    moving.serve(name="test", print_starting_message=False)
