"""What all steps of one run share: whether they may act, and where what they did is recorded."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

from configs.base import Accepted
from configs.errors import EvenkeelError
from tasks.engine.journal import Journal

log = logging.getLogger(__name__)
Moment = Callable[[str, str, str], None]
moments: ContextVar[Moment | None] = ContextVar("moments", default=None)
"""Called with (moment, target, doing) around every act of runs in this context, and with (moment, target, step) once it is verified.

Tests use it to kill a run at a chosen point.
"""


class Lock(Protocol):
    """What a run needs of its lock: an error once it is lost."""

    def check(self) -> None: ...


class Guard(Protocol):
    """Asked before every act; raises when the run must not act any more."""

    def check(self) -> None: ...


class Refusal:
    """A guard that refuses every act from now on, always with the same error."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def check(self) -> None:
        raise self._error


class Intents(Protocol):
    """Where a run records what it is about to do, and that it is done, so that the next one knows what a killed run was doing."""

    def intend(self, target: str, doing: str) -> str: ...

    def fulfil(self, intent: str) -> None: ...


class Run:
    """One run of a flow on one platform. A dry run has no lock and cannot act."""

    def __init__(
        self,
        run_id: str,
        journal: Journal,
        *,
        lock: Lock | None,
        intents: Intents | None = None,
        accepted: Collection[Accepted] = (),
    ) -> None:
        self.id = run_id
        self.journal = journal
        self.accepted = accepted
        """Findings that the operator has accepted in the configuration."""
        self._lock = lock
        self._intents = intents
        self._guard: Guard | None = None
        self._first_act: Callable[[], None] | None = None
        self._beginning = threading.Lock()

    @property
    def dry_run(self) -> bool:
        return self._lock is None

    def enter(self, phase: str) -> None:
        """The runbook comes to this part: steps and checks that begin from now on belong to it."""
        self.journal.phase = phase

    def guard(self, guard: Guard) -> None:
        """Let `guard` be asked before every further act."""
        self._guard = guard

    def at_first_act(self, begin: Callable[[], None] | None) -> None:
        """Call `begin` once, before the next act. None cancels that, and removes the guard."""
        self._first_act, self._guard = begin, None

    @contextmanager
    def acting(self, target: str, doing: str, *, undoing: bool = False) -> Iterator[None]:
        """Wrap everything that changes the world. Raises AnotherRunError when this run no longer holds the platform's lock.

        The guard is not asked when something is only undone: to stop halfway would leave the platform in between.
        """
        if self._lock is None:
            raise EvenkeelError(
                f"{target}: {doing}: a dry run was about to act: this is a bug, nothing was done", id="dry-run-acts"
            )
        self._lock.check()
        if not undoing:
            self._ask_guard()
        log.info("%s: %s", target, doing)
        intent = self._intents.intend(target, doing) if self._intents else None
        self.journal.act()
        announce("before act", target, doing)
        yield
        announce("after act", target, doing)
        if self._intents is not None and intent is not None:
            self._intents.fulfil(intent)

    def _ask_guard(self) -> None:
        with self._beginning:
            begin, self._first_act = self._first_act, None
            if begin is not None:
                try:
                    begin()
                except Exception as error:
                    self._guard = Refusal(error)  # acts side by side with this one must not begin either
                    raise
            if self._guard is not None:
                self._guard.check()


def announce(moment: str, target: str, doing: str) -> None:
    """Call the listener of this context, if there is one."""
    listener = moments.get()
    if listener is not None:
        listener(moment, target, doing)
