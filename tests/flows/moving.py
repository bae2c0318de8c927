"""A `migrate` that moves nothing, served as a deployment: python -m tests.flows.moving LEDGER

It notes when each platform begins and ends. One called `bad` fails; those called `pair-1` and `pair-2` end when both have begun.
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
PAIR_WITHIN_S = 120


def note(text: str) -> None:
    with Path(os.environ[LEDGER]).open("a") as ledger:
        ledger.write(f"{text}\n")


@flow(name="moving")
def moving(config: str, dry_run: bool = False) -> str:
    name = load_platform(Path(config)).name
    note(f"{name} begins{' dry' if dry_run else ''}")
    if name.startswith("pair"):
        await_pair()
    note(f"{name} ends")
    if name == "bad":
        raise ValueError("phys-2: docker does not run: systemctl start docker")
    return name


def await_pair() -> None:
    deadline = time.monotonic() + PAIR_WITHIN_S
    while not set(PAIR) <= set(Path(os.environ[LEDGER]).read_text().splitlines()):
        if time.monotonic() > deadline:
            raise TimeoutError("the other one has not begun")
        time.sleep(0.1)


if __name__ == "__main__":
    os.environ[LEDGER] = sys.argv[1]
    moving.serve(name="test", print_starting_message=False)
