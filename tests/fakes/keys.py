"""Keys and leases, with leases that run out by a fake clock."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from blocks.errors import EtcdUnavailableError
from tests.fakes.clock import FakeTime
from tests.fakes.faults import Faulty


@dataclass
class Lease:
    ttl_s: int
    ends: float


class FakeKeys(Faulty):
    """See ports.KeyValues and lock.Leases."""

    def __init__(self, time: FakeTime | None = None) -> None:
        super().__init__()
        self.time = time or FakeTime()
        self._values: dict[str, tuple[str, int]] = {}
        self._leases: dict[int, Lease] = {}
        self._granted = 0
        self.registry: Callable[[], Iterable[str]] = lambda: ()
        """The nodes that API servers keep in the same etcd."""
        self.values_read: list[str] = []
        """Keys whose values were asked for, in this order."""

    def get(self, key: str) -> str | None:
        with self.calling("get"):
            self._expire()
            self.values_read.append(key)
            return self._values[key][0] if key in self._values else None

    def put(self, key: str, value: str) -> None:
        with self.calling("put"):
            self.changes(f"put {key}")
            self._values[key] = (value, 0)

    def put_if_absent(self, key: str, value: str, lease_id: int = 0) -> bool:
        with self.calling("put_if_absent"):
            self._expire()
            if lease_id and lease_id not in self._leases:
                raise EtcdUnavailableError("requested lease not found")
            if key in self._values:
                return False
            self.changes(f"put {key}")
            self._values[key] = (value, lease_id)
            return True

    def items(self, prefix: str) -> dict[str, str]:
        with self.calling("items"):
            found = {key: self._values[key][0] for key in self._below(prefix)}
            self.values_read.extend(found)
            return found

    def names(self, prefix: str) -> list[str]:
        with self.calling("names"):
            if prefix == "/registry/minions/":
                return sorted(prefix + name for name in self.registry())
            return self._below(prefix)

    def delete(self, prefix: str) -> None:
        with self.calling("delete"):
            gone = self._below(prefix)
            if gone:
                self.changes(f"delete {prefix}")
            for key in gone:
                del self._values[key]

    def grant(self, ttl_s: int) -> int:
        with self.calling("grant"):
            self._granted += 1
            self._leases[self._granted] = Lease(ttl_s, self.time.now() + ttl_s)
            return self._granted

    def keep_alive(self, lease_id: int) -> int:
        with self.calling("keep_alive"):
            self._expire()
            lease = self._leases.get(lease_id)
            if lease is None:
                return 0
            lease.ends = self.time.now() + lease.ttl_s
            return lease.ttl_s

    def remaining(self, lease_id: int) -> int:
        with self.calling("remaining"):
            self._expire()
            lease = self._leases.get(lease_id)
            return -1 if lease is None else int(lease.ends - self.time.now())

    def revoke(self, lease_id: int) -> None:
        with self.calling("revoke"):
            self._leases.pop(lease_id, None)
            self._expire()

    def holder(self, key: str) -> tuple[str, int] | None:
        with self.calling("holder"):
            self._expire()
            return self._values.get(key)

    def _below(self, prefix: str) -> list[str]:
        self._expire()
        return sorted(key for key in self._values if key.startswith(prefix))

    def _expire(self) -> None:
        now = self.time.now()
        self._leases = {number: lease for number, lease in self._leases.items() if lease.ends > now}
        self._values = {key: pair for key, pair in self._values.items() if pair[1] == 0 or pair[1] in self._leases}
