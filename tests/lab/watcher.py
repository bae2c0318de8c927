"""What looks at the lab beside a run, in a thread of its own, until the context ends."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event
from typing import Self


class Watcher:
    """Runs `watch`, which looks until `ended` is set, beside what is done in the context.

    What it raises is raised at the context's end: a watcher that has died has seen nothing, and proves nothing.
    """

    def __init__(self) -> None:
        self.ended = Event()
        self._pool = ThreadPoolExecutor(1)
        self._watching: Future[None] | None = None

    def __enter__(self) -> Self:
        self._watching = self._pool.submit(self.watch)
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self._pool.shutdown()
        assert self._watching is not None
        self._watching.result()

    def watch(self) -> None:
        """Look, again and again, until `ended` is set."""
        raise NotImplementedError
