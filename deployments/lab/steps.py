"""Progress: each step shows what it is, what it waits for, and how long it took."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.markup import escape

from deployments.lab.shell import LabError

console = Console(stderr=True, highlight=False, soft_wrap=True)
HEARTBEAT_SECONDS = 15

Thing = TypeVar("Thing")
Result = TypeVar("Result")


class Step:
    """A running step; `note` is what it is waiting for right now."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.note = ""
        self.started = time.monotonic()
        self.ended = threading.Event()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started

    def line(self) -> str:
        return f"{self.title}  [dim]{self.seconds:.0f} s{'  ' + escape(self.note) if self.note else ''}[/dim]"


@contextmanager
def step(title: str) -> Iterator[Step]:
    """Print the step's end with its time; while it runs, a terminal shows a spinner and a log gets a line every 15 s."""
    current = Step(title)
    ticker = threading.Thread(target=_spin if console.is_terminal else _beat, args=(current,), daemon=True)
    ticker.start()
    try:
        yield current
    except BaseException:  # Ctrl-C, too, must not leave a line that ticks on
        _end(current, ticker)
        console.print(f"[red]✗[/red] {title}  [dim]{current.seconds:.1f} s[/dim]")
        raise
    _end(current, ticker)
    console.print(f"[green]✓[/green] {title}  [dim]{current.seconds:.1f} s[/dim]")


def each(things: Iterable[Thing], work: Callable[[Thing], Result]) -> list[Result]:
    """`work` on all things at once, results in their order; all of them finish before the first error is raised."""
    items = list(things)
    with ThreadPoolExecutor(max_workers=max(1, len(items))) as pool:
        futures = [pool.submit(work, item) for item in items]
    return [future.result() for future in futures]


def wait(what: str, ready: Callable[[], str], seconds: float, current: Step, pause: float = 0.5) -> None:
    """Return when `ready` returns an empty string; its text is what is still missing, also in the timeout's message."""
    deadline = time.monotonic() + seconds
    while missing := ready():
        current.note = missing
        if time.monotonic() > deadline:
            raise LabError(f"{what}: not within {seconds:.0f} s; still missing: {missing}")
        time.sleep(pause)
    current.note = ""


def _spin(current: Step) -> None:
    with console.status(current.line()) as status:
        while not current.ended.wait(0.5):
            status.update(current.line())


def _beat(current: Step) -> None:
    while not current.ended.wait(HEARTBEAT_SECONDS):
        console.print(f"… {current.line()}")


def _end(current: Step, ticker: threading.Thread) -> None:
    current.ended.set()
    ticker.join()
