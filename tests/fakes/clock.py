"""Time that passes only when somebody sleeps."""

from __future__ import annotations


class FakeTime:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def now(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds
