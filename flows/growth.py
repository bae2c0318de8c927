"""How far etcd has grown, for what waits for its members."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from threading import Event


class Growth:
    """Which of the targets vote already, while etcd grows in a thread of its own."""

    def __init__(self, targets: Iterable[str] = ()) -> None:
        self._voting: dict[str, Future[None]] = {name: Future() for name in targets}
        self._stopped = Event()
        self.whole: Future[None] = Future()
        """Done when all of them vote; or has the error that ended the growth."""

    def await_members(self, names: Iterable[str]) -> None:
        """Return when these targets vote, or all of them if none is named. Raises what ended the growth before."""
        for awaited in [self._voting[name] for name in names] or [self.whole]:
            wait({awaited, self.whole}, return_when=FIRST_COMPLETED)
            if not awaited.done():
                self.whole.result()

    def votes(self, name: str) -> None:
        """Let go on who waits for this member."""
        self._voting[name].set_result(None)

    def stop(self) -> None:
        """Let no further member join: something else has failed."""
        self._stopped.set()

    @property
    def stopped(self) -> bool:
        return self._stopped.is_set()
