"""What fakes have in common: they remember every mutation, and fail at a call that a test has chosen."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass
class Fault:
    """An error at calls whose name contains `call`, before it acts or after it acted (the answer is lost)."""

    call: str
    error: BaseException
    times: int
    after: bool


class Faulty:
    """Base of all fakes."""

    def __init__(self) -> None:
        self.mutations: list[str] = []
        self.calls: list[str] = []
        self._faults: list[Fault] = []

    def fail(self, call: str, error: BaseException, *, times: int = 1, after: bool = False) -> None:
        """Make the next `times` calls whose name contains `call` raise `error`."""
        self._faults.append(Fault(call, error, times, after))

    @contextmanager
    def calling(self, call: str) -> Iterator[None]:
        self.calls.append(call)
        self._meet(call, after=False)
        yield
        self._meet(call, after=True)

    def _meet(self, call: str, *, after: bool) -> None:
        for fault in self._faults:
            if fault.times > 0 and fault.after is after and fault.call in call:
                fault.times -= 1
                raise fault.error
