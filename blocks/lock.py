"""One run per platform: a key on the platform's own etcd that lives as long as its holder's keep-alive.

Prefect's "Running" proves nothing and its "Crashed" does not mean that the process is dead; a lease does both.
python-etcd3's own Lock raises a TypeError under today's tenacity, so a lease and a transaction are used.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from blocks.errors import AnotherRunError, EtcdUnavailableError
from blocks.process import is_dead

TTL_S = 30  # a killed run's lock is free after this long; a settling etcd may keep silent for some seconds of it

log = logging.getLogger(__name__)


class Leases(Protocol):
    """What the lock needs of etcd."""

    def grant(self, ttl_s: int) -> int: ...

    def keep_alive(self, lease_id: int) -> int: ...

    def remaining(self, lease_id: int) -> int: ...

    def revoke(self, lease_id: int) -> None: ...

    def put_if_absent(self, key: str, value: str, lease_id: int = 0) -> bool: ...

    def holder(self, key: str) -> tuple[str, int] | None: ...


class RunLock:
    """The lock of one run. `check` before every act."""

    def __init__(
        self,
        leases: Leases,
        key: str,
        holder: str,
        ttl_s: int = TTL_S,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._leases, self._key, self._holder, self._ttl_s = leases, key, holder, ttl_s
        self._clock, self._sleep = clock, sleep
        self._lease = 0
        self._kept = 0.0
        self._ended = threading.Event()

    def check(self) -> None:
        """Raises AnotherRunError unless the lock is certainly still this run's."""
        if self._clock() - self._kept >= self._ttl_s:
            raise AnotherRunError(
                f"the lock {self._key} could not be kept for {self._ttl_s} s, another run may act: nothing more is "
                "changed; see whether etcd has a leader, then run the same command again",
                id="lock-lost",
            )

    @contextmanager
    def held(self) -> Iterator[RunLock]:
        """Hold the lock. Raises AnotherRunError, naming the holder, when a living run has it."""
        self._take()
        beat = threading.Thread(target=self._keep, name="run-lock", daemon=True)
        beat.start()
        try:
            yield self
        finally:
            self._ended.set()
            beat.join()
            try:
                self._leases.revoke(self._lease)
            except EtcdUnavailableError as error:
                log.warning(
                    "lock %s: not given back (%s); it ends by itself within %d s", self._key, error.message, self._ttl_s
                )

    def _take(self) -> None:
        self._lease = self._leases.grant(self._ttl_s)
        self._kept = self._clock()
        while not self._leases.put_if_absent(self._key, self._holder, self._lease):
            found = self._leases.holder(self._key)
            # An answer that got lost makes us ask again, and find ourselves.
            if found is not None and found[1] == self._lease:
                return
            if found is not None:
                self._outlive(*found)

    def _outlive(self, holder: str, lease: int) -> None:
        """Return when the present holder is dead, or its lease has run out; raise as soon as it is kept alive."""
        if is_dead(holder):
            log.info("lock %s was held by %s, which has died on this machine: it is taken over", self._key, holder)
            self._leases.revoke(lease)
            return
        least = self._leases.remaining(lease)
        log.info("lock %s is held by %s: if that run was killed, it is free in %d s", self._key, holder, least)
        while (left := self._leases.remaining(lease)) >= 0 and self._leases.holder(self._key) is not None:
            if left > least + 1:
                self._leases.revoke(self._lease)
                raise AnotherRunError(
                    f"another run acts on this platform: {holder}: wait for it, or cancel it first; if it was killed, etcd has "
                    "just changed its leader, which renews every lease: run the same command again"
                )
            least = min(least, left)
            self._sleep(1)
            self._beat()

    def _keep(self) -> None:
        while not self._ended.wait(self._ttl_s / 3):
            try:
                self._beat()
            except EtcdUnavailableError as error:
                log.warning("lock %s: keep-alive: %s", self._key, error.message)

    def _beat(self) -> None:
        asked = self._clock()
        self._kept = asked if self._leases.keep_alive(self._lease) > 0 else float("-inf")
