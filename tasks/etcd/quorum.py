"""The arithmetic of etcd membership. Pure.

A voter counts towards the quorum from the moment it is added, a learner never; quorum is n // 2 + 1.
Source: etcd's FAQ and runtime reconfiguration guide.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from blocks.errors import RefusedError
from blocks.ports import Member


class QuorumAtRiskError(RefusedError):
    """The change would leave etcd with fewer healthy voters than its quorum."""

    id = "etcd-quorum"


def quorum(voters: int) -> int:
    """How many voters must be up."""
    return voters // 2 + 1


def tolerance(voters: int) -> int:
    """How many voters may fail."""
    return voters - quorum(voters)


def voters_of(members: Collection[Member]) -> list[Member]:
    """The members that count."""
    return [member for member in members if not member.is_learner]


def why_not_add(members: Collection[Member], healthy: Collection[int]) -> str | None:
    """Why no learner may join now; None when it may. `healthy` are ids of members that answer.

    etcd before 3.5.30 itself wants all voters connected, so a single silent one would block the add anyway.
    """
    voters = voters_of(members)
    silent = [member.name for member in voters if member.id not in healthy]
    if silent:
        up = len(voters) - len(silent)
        return (
            f"voters {', '.join(silent)} do not answer: {up} of {len(voters)} are up, quorum is {quorum(len(voters))}; "
            "etcd wants every voter connected before a member is added: bring them back first"
        )
    return None


def why_not_remove(members: Collection[Member], leaving: Member, healthy: Collection[int]) -> str | None:
    """Why `leaving` may not be removed now; None when it may."""
    if leaving.is_learner:
        return None
    staying = [member for member in voters_of(members) if member.id != leaving.id]
    if not staying:
        return f"{leaving.name} is the last voter"
    up = sum(member.id in healthy for member in staying)
    needed = quorum(len(staying))
    if up < needed:
        return f"without {leaving.name} {up} of {len(staying)} voters would be up, and the quorum would be {needed}"
    return None


@dataclass(frozen=True)
class Membership:
    """Who votes after a change."""

    change: str
    voters: tuple[str, ...]

    @property
    def quorum(self) -> int:
        return quorum(len(self.voters))

    @property
    def tolerance(self) -> int:
        return tolerance(len(self.voters))

    def left_without(self, dead: Collection[str]) -> int:
        """How many voters are up when all of `dead` fail together."""
        return len(set(self.voters).difference(dead))

    def survives_without(self, dead: Collection[str]) -> bool:
        """Whether these then still are a quorum: etcd takes writes, without anybody's help."""
        return self.left_without(dead) >= self.quorum


def memberships(voters: Iterable[str], joining: Iterable[str], leaving: Iterable[str]) -> list[Membership]:
    """The memberships of a move, from the present one on: every target that joins, then every source that leaves, one at a time."""
    steps = [Membership("now", tuple(voters))]
    for name in joining:
        steps.append(Membership(f"{name} becomes a voter", (*steps[-1].voters, name)))
    for name in leaving:
        steps.append(Membership(f"{name} is removed", tuple(voter for voter in steps[-1].voters if voter != name)))
    return steps
