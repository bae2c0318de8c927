"""The lock of a run, lost when a test says so."""

from __future__ import annotations

from blocks.errors import AnotherRunError


class FakeLock:
    def __init__(self) -> None:
        self.lost = False

    def check(self) -> None:
        if self.lost:
            raise AnotherRunError("the lock is lost")
