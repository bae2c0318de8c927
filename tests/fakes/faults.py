"""What fakes have in common: they remember every mutation, and fail at a call that a test has chosen."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass
class Fault:
    """An error at calls whose name contains `call`, before it acts or after it acted (the answer is lost)."""

    call: str
    error: BaseException
    times: int
    after: bool


class Killed(BaseException):
    """The run's process ends here."""


class Life:
    """Of a world, shared by its fakes: one thing happens at a time, and a run can end at a chosen mutation."""

    def __init__(self) -> None:
        self.mutations_left = -1
        self.turn = threading.RLock()

    def goes_on(self) -> None:
        self.mutations_left -= 1
        if self.mutations_left == 0:
            raise Killed


class Faulty:
    """Base of all fakes."""

    def __init__(self) -> None:
        self.mutations: list[str] = []
        self.life = Life()
        self.calls: list[str] = []
        self._faults: list[Fault] = []
        self._others: list[tuple[str, Callable[[], object]]] = []

    def fail(self, call: str, error: BaseException, *, times: int = 1, after: bool = False) -> None:
        """Make the next `times` calls whose name contains `call` raise `error`."""
        self._faults.append(Fault(call, error, times, after))

    def whenever(self, call: str, happens: Callable[[], object]) -> None:
        """Let something happen each time that a call whose name contains `call` has acted: others are at work there, too."""
        self._others.append((call, happens))

    def changes(self, what: str) -> None:
        self.mutations.append(what)

    @contextmanager
    def calling(self, call: str) -> Iterator[None]:
        with self.life.turn:
            self.calls.append(call)
            self._meet(call, after=False)
            before = len(self.mutations)
            yield
            for part, happens in self._others:
                if part in call:
                    happens()
            if len(self.mutations) > before:
                self.life.goes_on()
            self._meet(call, after=True)

    def _meet(self, call: str, *, after: bool) -> None:
        for fault in self._faults:
            if fault.times > 0 and fault.after is after and fault.call in call:
                fault.times -= 1
                raise fault.error
