"""The only loop over time in the project."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TypeVar

from blocks.errors import DeadlineExceededError, TransientError
from tasks.engine.journal import under_way

T = TypeVar("T")
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Clock:
    """Time as waiting sees it; tests give one that passes at once."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


MONOTONIC = Clock()
clock: ContextVar[Clock] = ContextVar("clock", default=MONOTONIC)
POLL_S = 1.0
LOG_EVERY_S = 15.0  # a run that logs nothing for longer looks stuck


def wait_until(
    what: str,
    question: Callable[[], T | None],
    *,
    timeout_s: float,
    poll_s: float = POLL_S,
    still: Callable[[], str] = lambda: "",
    id: str = "",
) -> T:
    """The first truthy answer to `question`. A TransientError counts as "not yet", and is quoted if the time runs out.

    `what` says what is awaited, subject first; `still` says what is lacking by the last answer. Raises
    DeadlineExceededError, with `id` where one is given, after `timeout_s` seconds; the question is always asked once
    more at the deadline itself.
    """
    now, sleep = clock.get().now, clock.get().sleep
    begun = logged = now()
    _note(what)
    while True:
        error = ""
        try:
            answer = question()
            if answer:
                _note("")
                return answer
        except TransientError as passing:
            error = passing.message
        waited = now() - begun
        if waited >= timeout_s:
            raise DeadlineExceededError(": ".join(filter(None, (what, f"not within {timeout_s:g} s", error or still()))), id=id)
        if now() - logged >= LOG_EVERY_S:
            logged = now()
            lacking = ": ".join(filter(None, (what, error or still())))
            _note(lacking)
            log.info("waiting for %.0f s of %g s: %s", waited, timeout_s, lacking)
        sleep(min(poll_s, max(0.0, timeout_s - waited)))


def _note(awaiting: str) -> None:
    """For whoever watches the run; on disk with the next entry."""
    entry = under_way.get()
    if entry is not None:
        entry.awaiting = awaiting


def stays(what: str, question: Callable[[], bool], *, for_s: float, poll_s: float = POLL_S) -> bool:
    """Whether `question` was answered yes each time it was asked for `for_s` seconds."""
    now, sleep = clock.get().now, clock.get().sleep
    begun = now()
    while question():
        if now() - begun >= for_s:
            return True
        sleep(poll_s)
    log.warning("did not stay so for %g s: %s", for_s, what)
    return False
