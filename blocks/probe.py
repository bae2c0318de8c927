"""What clients outside notice, sampled by a process of its own: python -m blocks.probe, its config on standard input.

The config is one line of JSON (see `ProbeConfig`), with the database's password, so it is never an argument. Every 200 ms each
series begins a sample, whether or not the one before has ended: a request that hangs on a machine that has just gone
does not hide that the next one is answered. A sample is a line of JSON in the file `samples`. Series `probe` asks
nobody: it says how late the probe itself was, so that a busy machine here is not taken for a platform that is silent.
The process ends when its standard input does, so it does not outlive the run that began it; the next run begins another.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TextIO

from blocks.probe_clients import ERRORS, Ask, ProbeConfig, asks, forget
from configs.errors import EvenkeelError

SLOTS = 8  # samples of one series under way at once: deadline over pace, and some for connecting
SELF = "probe"
NICE = -10  # what measures must not wait behind what it measures


def main() -> None:
    """Sample until standard input ends."""
    with suppress(OSError):
        os.nice(NICE)
    config = ProbeConfig.parse(sys.stdin.readline())
    ended = threading.Event()
    with Path(config.samples).open("a", encoding="utf-8", buffering=1) as file:
        writing = threading.Lock()
        series = [
            threading.Thread(target=_series, args=(name, ask, file, writing, ticks(ended, config.every_s)))
            for name, ask in asks(config).items()
        ]
        series.append(threading.Thread(target=_watch_ourselves, args=(file, writing, ticks(ended, config.every_s))))
        for thread in series:
            thread.start()
        sys.stdin.read()
        ended.set()
        for thread in series:
            thread.join()
    forget(config)


def _series(name: str, ask: Ask, file: TextIO, writing: threading.Lock, due: Iterator[float]) -> None:
    """Begin a sample at every tick. What was missed is not made up for: a burst would slow down what it measures."""
    free = threading.BoundedSemaphore(SLOTS)

    def sample() -> None:
        try:
            _write(file, writing, _sampled(name, ask))
        finally:
            free.release()

    with ThreadPoolExecutor(SLOTS) as pool:
        for _ in due:
            if free.acquire(blocking=False):
                pool.submit(sample)


def _watch_ourselves(file: TextIO, writing: threading.Lock, due: Iterator[float]) -> None:
    for late_s in due:
        _write(file, writing, _row(SELF, time.time() - late_s, late_s, ""))


def ticks(ended: threading.Event, every_s: float) -> Iterator[float]:
    """A tick every `every_s` until `ended`, with the seconds by which it is late."""
    due = time.monotonic()
    while not ended.wait(max(0.0, due - time.monotonic())):
        now = time.monotonic()
        yield now - due
        due = max(due + every_s, now)


def _sampled(name: str, ask: Ask) -> dict[str, object]:
    at, begun, error = time.time(), time.monotonic(), ""
    try:
        ask()
    except ERRORS as failed:
        said = failed.message if isinstance(failed, EvenkeelError) else failed
        error = f"{type(failed).__name__}: {said}"[:200]
    return _row(name, at, time.monotonic() - begun, error)


def _row(name: str, at: float, seconds: float, error: str) -> dict[str, object]:
    return {"at": round(at, 3), "series": name, "ms": round(seconds * 1000, 1), "error": error}


def _write(file: TextIO, writing: threading.Lock, row: dict[str, object]) -> None:
    with writing:
        file.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
