"""An etcd cluster as its members see it: learners that need a while, leaders, lists that can differ."""

from __future__ import annotations

from dataclasses import replace

from blocks.errors import EtcdUnavailableError, HostError
from blocks.ports import Member, MemberStatus
from tests.fakes.faults import Faulty


class FakeEtcd(Faulty):
    """See ports.EtcdApi. A member is known by its peer URL, SCHEME://ADDRESS:2380."""

    def __init__(self, members: dict[str, str], *, scheme: str = "http", polls_to_sync: int = 2) -> None:
        super().__init__()
        self.scheme = scheme
        self._members: list[Member] = []
        self._ids = 0x1000
        for name, address in members.items():
            self._add(f"{self.scheme}://{address}:2380", name=name, client_url=f"{self.scheme}://{address}:2379")
        self.leader = self._members[0].id
        self.down: set[str] = set()
        """Names of members that do not answer."""
        self.stale: dict[str, list[Member]] = {}
        """By name: the list that a member has instead of the true one."""
        self.versions: dict[str, str] = {}
        self.sizes: dict[str, int] = {}
        """By name: bytes of a member's database."""
        self.alarms: tuple[str, ...] = ()
        """As every member's status has them: memberID:4097 alarm:NOSPACE."""
        self.leaderless: set[str] = set()
        self.unhealthy_adds = 0
        """How many times an add is declined, as in the first seconds after a change."""
        self.polls_to_sync = polls_to_sync
        self.never_in_sync = False
        self._asked: dict[int, int] = {}

    def members(self) -> list[Member]:
        with self.calling("members"):
            return self._now()

    def members_seen_by(self, member: Member) -> list[Member]:
        with self.calling("members_seen_by"):
            self._answering(member)
            if self._find(member).is_learner:
                raise EtcdUnavailableError("etcdserver: rpc not supported for learner")
            return self.stale.get(member.name, self._now())

    def status(self, member: Member) -> MemberStatus:
        with self.calling("status"):
            self._answering(member)
            leader = 0 if member.name in self.leaderless else self.leader
            errors = (*self.alarms, *(("etcdserver: no leader",) if not leader else ()))
            return MemberStatus(
                self.versions.get(member.name, "3.5.21"), leader, member.id, errors, self.sizes.get(member.name, 20480)
            )

    def add_learner(self, peer_url: str) -> Member:
        with self.calling("add_learner"):
            if self.unhealthy_adds > 0:
                self.unhealthy_adds -= 1
                raise EtcdUnavailableError("etcdserver: unhealthy cluster")
            if any(member.is_learner for member in self._members):
                raise EtcdUnavailableError("etcdserver: too many learner members in cluster")
            if any(peer_url in member.peer_urls for member in self._members):
                raise HostError("etcdserver: Peer URLs already exists")
            self.changes(f"add learner {peer_url}")
            return self._add(peer_url, learner=True)

    def promote(self, member: Member) -> None:
        with self.calling("promote"):
            self._asked[member.id] = self._asked.get(member.id, 0) + 1
            if self.never_in_sync or self._asked[member.id] <= self.polls_to_sync:
                raise EtcdUnavailableError("etcdserver: can only promote a learner member which is in sync with leader")
            self.changes(f"promote {member.name}")
            self._put(replace(self._find(member), is_learner=False))

    def remove(self, member: Member) -> None:
        with self.calling("remove"):
            self.changes(f"remove {member.name or member.peer_urls[0]}")
            self._members = [other for other in self._members if other.id != member.id]
            if self.leader == member.id:
                self.leader = self._members[0].id

    def move_leader(self, to: Member) -> None:
        with self.calling("move_leader"):
            self.changes(f"move leader to {to.name}")
            self.leader = to.id

    def cluster_id(self) -> int:
        return 0xE7CD

    # What a test sets up.

    def started(self, peer_url: str, name: str) -> None:
        """A member's process has begun to run: it publishes its name and its client URL, once."""
        member = next((m for m in self._members if peer_url in m.peer_urls), None)
        if member is not None and not member.name:
            self._put(replace(member, name=name, client_urls=(peer_url.replace(":2380", ":2379"),)))

    def joined(self, name: str, address: str) -> Member:
        return self._add(f"{self.scheme}://{address}:2380", name=name, client_url=f"{self.scheme}://{address}:2379")

    def begun(self, address: str) -> Member:
        """A learner that an earlier run has added and never started."""
        return self._add(f"{self.scheme}://{address}:2380", learner=True)

    def called(self, name: str) -> Member:
        return next(member for member in self._members if member.name == name)

    def called_by_name(self, name: str, peer_host: str = "", client_url: str = "") -> None:
        """Let a member's URLs be as an inventory with host names makes them."""
        member = self.called(name)
        urls = (client_url,) if client_url else member.client_urls
        self._put(replace(member, peer_urls=(f"{self.scheme}://{peer_host or name}:2380",), client_urls=urls))

    def renamed(self, name: str, now: str) -> None:
        self._put(replace(self.called(name), name=now))

    def peers_by_tls(self, name: str) -> None:
        member = self.called(name)
        self._put(replace(member, peer_urls=tuple(url.replace("http:", "https:") for url in member.peer_urls)))

    def has_alarm(self, alarm: str) -> None:
        self.alarms = (f"memberID:{self._members[0].id} alarm:{alarm} ",)

    def unstarted(self, address: str) -> None:
        """Its machine's member was removed and added anew as a voter, and its process never started."""
        self._members = [member for member in self._members if f"{self.scheme}://{address}:2380" not in member.peer_urls]
        self._add(f"{self.scheme}://{address}:2380")

    def _now(self) -> list[Member]:
        return sorted(self._members, key=lambda member: member.id)

    def _add(self, peer_url: str, *, name: str = "", client_url: str = "", learner: bool = False) -> Member:
        self._ids += 1
        member = Member(self._ids, name, (peer_url,), (client_url,) if client_url else (), learner)
        self._members.append(member)
        return member

    def _find(self, member: Member) -> Member:
        return next(other for other in self._members if other.id == member.id)

    def _put(self, member: Member) -> None:
        self._members = [member if other.id == member.id else other for other in self._members]

    def _answering(self, member: Member) -> None:
        if not member.client_urls or member.name in self.down:
            raise EtcdUnavailableError(f"{member.name or member.peer_urls[0]}: does not answer")
