"""Time that passes only when somebody sleeps."""

from __future__ import annotations

from collections.abc import Callable


class FakeTime:
    def __init__(self) -> None:
        self.seconds = 1000.0
        self._due: list[tuple[float, Callable[[], object]]] = []

    def now(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds
        happens = [happen for when, happen in self._due if when <= self.seconds]
        self._due = [(when, happen) for when, happen in self._due if when > self.seconds]
        for happen in happens:
            happen()

    def later(self, seconds: float, happen: Callable[[], object]) -> None:
        """Let something happen once so much time has passed."""
        self._due.append((self.seconds + seconds, happen))
