"""The one loop over the endpoints of a service: etcd's members, the API's servers."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Collection, Iterable
from typing import TypeVar

from configs.errors import EvenkeelError

T = TypeVar("T")


class Failover:
    """A service's endpoints in the order in which they are asked, shared by all threads.

    The one that answered last is asked first, one that was unavailable last: a machine without power does not refuse, it
    uses up a timeout.
    """

    def __init__(
        self,
        endpoints: Iterable[str],
        *,
        nobody: str,
        unavailable: type[EvenkeelError],
        passing: tuple[type[EvenkeelError], ...] = (),
    ) -> None:
        """`unavailable` makes it ask the next endpoint, as do the errors in `passing`; it is raised, with the words in
        `nobody`, when there is no next one.
        """
        self._order = list(endpoints)
        self._nobody = nobody
        self._unavailable = unavailable
        self._passing = (unavailable, *passing)
        self._turn = threading.Lock()

    @property
    def order(self) -> tuple[str, ...]:
        with self._turn:
            return tuple(self._order)

    def ask(self, question: Callable[[str], T], *, ends: float = math.inf) -> T:
        """The answer of the first endpoint that is available. After `ends`, by time.monotonic, no other one is asked.

        Any other error is an answer, too, and raised as it is. When nobody answered, every endpoint's reason is quoted.
        """
        reasons = []
        for endpoint in self.order:
            try:
                answer = question(endpoint)
            except self._passing as error:
                reasons.append(error.message)
                self._move([endpoint], first=False)
                if time.monotonic() >= ends:
                    break
                continue
            self.prefer([endpoint])
            return answer
        raise self._unavailable(f"{self._nobody}: {'; '.join(reasons)}")

    def prefer(self, endpoints: Collection[str]) -> None:
        """Ask these first, otherwise in the present order."""
        self._move(endpoints, first=True)

    def _move(self, endpoints: Collection[str], *, first: bool) -> None:
        with self._turn:
            self._order.sort(key=lambda endpoint: (endpoint in endpoints) is not first)
