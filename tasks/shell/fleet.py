"""Several machines asked at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

T = TypeVar("T")
Answer = TypeVar("Answer")
AT_ONCE = 50  # questions: an answer takes a machine longer than it takes us, and more threads than this only wait for each other


def side_by_side(ask: Callable[[T], Answer], of: Iterable[T]) -> list[Answer]:
    """What `ask` answers for each, in their order; all are asked in this context, so that round trips count for the step that asks.

    Raises the first one's error, in their order, once no question is open any more.
    """
    items = list(of)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        contexts = [copy_context() for _ in items]
        return list(pool.map(lambda context, item: context.run(ask, item), contexts, items))
