"""The platform's etcd as a cluster: members, learners, leadership. Spoken over etcd's own JSON gateway.

python-etcd3 knows no learners and no move of leadership; keys and leases are in `etcd_keys`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

import httpx
from prefect.blocks.core import Block

from blocks.errors import EtcdUnavailableError, EtcdUnsupportedError
from blocks.etcd_gateway import post
from blocks.etcd_tls import ClientTls, trust
from blocks.etcd_urls import find_home
from blocks.failover import Failover
from blocks.ports import Member, MemberStatus
from configs.errors import EvenkeelError

T = TypeVar("T")

CALL_TIMEOUT_S = 5.0  # etcd answers in milliseconds or is electing a leader; see siderolabs/talos#14097 for longer ones


class EtcdCluster:
    """The members' gateway. Calls go to whichever endpoint answers and belongs to this cluster."""

    def __init__(self, endpoints: tuple[str, ...], http: httpx.Client, cluster_id: int | None = None) -> None:
        self._failover = Failover(
            endpoints,
            nobody="etcd: no member answered",
            unavailable=EtcdUnavailableError,
            passing=(EtcdUnsupportedError,),
        )
        self._http = http
        self._cluster_id = cluster_id
        self._unsupported: EtcdUnsupportedError | None = None
        self._ours: set[str] = set()
        self._homes: dict[int, str] = {}
        """By id: where that member has answered."""

    def on_any(self, act: Callable[[str], T]) -> T:
        """What `act` answers at the first endpoint that is up and of this cluster."""
        if not self._ours:
            self._prefer_what_answers()
        try:
            return self._failover.ask(lambda endpoint: self._at(endpoint, act))
        except EtcdUnavailableError as nobody:
            if self._unsupported is None or self._cluster_id is not None:
                raise
            raise self._unsupported from nobody

    def cluster_id(self) -> int:
        return self.on_any(lambda endpoint: int(self._post(endpoint, "maintenance/status")["header"]["cluster_id"]))

    def members(self) -> list[Member]:
        return self.on_any(self._members_at)

    def members_seen_by(self, member: Member) -> list[Member]:
        return _members(self._ask(member, "cluster/member/list", {"linearizable": False}))

    def status(self, member: Member) -> MemberStatus:
        answer = self._ask(member, "maintenance/status")
        return MemberStatus(
            version=answer["version"],
            leader=int(answer.get("leader", 0)),
            raft_index=int(answer.get("raftIndex", 0)),
            errors=tuple(answer.get("errors", ())),
            db_size=int(answer.get("dbSize", 0)),
        )

    def add_learner(self, peer_url: str) -> Member:
        answer = self._once("cluster/member/add", {"peerURLs": [peer_url], "isLearner": True})
        return _member(answer["member"])

    def promote(self, member: Member) -> None:
        self._once("cluster/member/promote", {"ID": str(member.id)})

    def remove(self, member: Member) -> None:
        # Not by the leaving member itself: it stops listening before it answers.
        self._once("cluster/member/remove", {"ID": str(member.id)}, avoid=member.id)

    def move_leader(self, to: Member) -> None:
        """Make `to` the leader. Only the present leader takes this call, so it is asked itself."""
        members = {member.id: member for member in self.members()}
        leader = members.get(self.status(to).leader)
        if leader is None:
            raise EtcdUnavailableError(
                f"etcd: {to.name} knows no leader: wait until one is elected", id="etcd-no-leader"
            )
        self._ask(leader, "maintenance/transfer-leadership", {"targetID": str(to.id)})

    def _once(self, path: str, body: dict[str, Any], avoid: int = 0) -> dict[str, Any]:
        """Change the cluster through one endpoint that is up, and ask no other when its answer gets lost.

        It may have been done: EtcdUnavailableError then sends the caller to look, which asking another one would not.
        """

        def is_up(endpoint: str) -> str:
            status = self._post(endpoint, "maintenance/status")
            if int(status["header"]["member_id"]) == avoid:
                raise EtcdUnavailableError(f"{endpoint}: not to be asked this")
            if not int(status.get("leader", 0)):
                raise EtcdUnavailableError(f"{endpoint}: knows no leader")
            self._members_at(endpoint)  # a learner answers for itself, but takes no question about the cluster
            return endpoint

        return self._post(self.on_any(is_up), path, body)

    def _ask(self, member: Member, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """What just this member answers. Raises EtcdUnavailableError when it is silent, wherever it may be."""
        home = self._homes.pop(member.id, "") or self._find(member)
        answer = self._post(home, path, body)
        if int(answer.get("header", {}).get("member_id", member.id)) != member.id:
            raise EtcdUnavailableError(f"{home}: no longer member {member.id:x} answers there")
        self._homes[member.id] = home
        return answer

    def _find(self, member: Member) -> str:
        def header(endpoint: str) -> dict[str, Any]:
            found: dict[str, Any] = self._post(endpoint, "maintenance/status")["header"]
            return found

        return find_home(member, header, self._failover.order, self._cluster_id)

    def _members_at(self, endpoint: str) -> list[Member]:
        # Linearizable: what the leader knows; a member's own store may be behind. 3.4 ignores the word.
        return _members(self._post(endpoint, "cluster/member/list", {"linearizable": True}))

    def _at(self, endpoint: str, act: Callable[[str], T]) -> T:
        try:
            self._refuse_foreign(endpoint)
            return act(endpoint)
        except EtcdUnsupportedError as error:
            self._unsupported = self._unsupported or error
            raise
        except EtcdUnavailableError:
            self._ours.discard(endpoint)  # another cluster's etcd may be the next to answer there
            raise

    def _prefer_what_answers(self) -> None:
        """Machines that are switched off are waited for side by side, once. Otherwise the order stays as it was given."""
        endpoints = self._failover.order
        with ThreadPoolExecutor(len(endpoints)) as pool:
            up = [
                endpoint
                for endpoint, answers in zip(endpoints, pool.map(self._answers, endpoints), strict=True)
                if answers
            ]
        self._failover.prefer(up)

    def _answers(self, endpoint: str) -> bool:
        try:
            self._post(endpoint, "maintenance/status")
        except EvenkeelError:
            return False
        return True

    def _refuse_foreign(self, endpoint: str) -> None:
        """An old platform's etcd may answer on a target's address; it is never taken for ours."""
        if endpoint in self._ours:
            return
        found = int(self._post(endpoint, "maintenance/status")["header"]["cluster_id"])
        if self._cluster_id is None:
            self._cluster_id = found
        if found != self._cluster_id:
            raise EtcdUnavailableError(f"{endpoint}: an etcd of another cluster ({found:x})")
        self._ours.add(endpoint)

    def _post(self, endpoint: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        return post(self._http, endpoint, path, body)


def _members(answer: dict[str, Any]) -> list[Member]:
    return sorted(map(_member, answer["members"]), key=lambda member: member.id)


def _member(raw: dict[str, Any]) -> Member:
    return Member(
        id=int(raw["ID"]),
        name=raw.get("name", ""),
        peer_urls=tuple(raw.get("peerURLs", ())),
        client_urls=tuple(raw.get("clientURLs", ())),
        is_learner=bool(raw.get("isLearner", False)),
    )


class EtcdEndpoints(Block):
    """Saved client URLs of an etcd cluster, in the order in which they are tried."""

    _block_type_name = "etcd endpoints"
    _block_type_slug = "etcd-endpoints"

    endpoints: tuple[str, ...]
    tls: ClientTls | None = None

    @contextmanager
    def cluster(self) -> Iterator[EtcdCluster]:
        """The cluster that the first answering endpoint belongs to. Raises ConfigError when a file of `tls` is unfit."""
        timeout = httpx.Timeout(CALL_TIMEOUT_S, connect=2)
        with httpx.Client(timeout=timeout, trust_env=False, verify=trust(self.tls)) as http:
            yield EtcdCluster(self.endpoints, http)
