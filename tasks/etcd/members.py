"""The members of the platform's etcd: found by URL, asked for their status, compared."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from urllib.parse import urlsplit

from blocks.errors import EtcdUnavailableError
from blocks.ports import EtcdApi, Member, MemberStatus
from configs.hosts import Machine
from configs.platform import Platform
from tasks.etcd.unit import peer_url


def find_member(members: list[Member], url: str) -> Member | None:
    """By peer URL: names can clash, and an unstarted member has none."""
    return next((member for member in members if url in member.peer_urls), None)


def is_on(machine: Machine, member: Member) -> bool:
    """Whether the member's peer URL names this machine, by its address or by its name, as installers write it, too."""
    return bool({str(machine.address), machine.name} & {urlsplit(url).hostname or "" for url in member.peer_urls})


def member_of(members: Collection[Member], machine: Machine) -> Member | None:
    """The member that runs on this machine."""
    return next((member for member in members if is_on(machine, member)), None)


def statuses(etcd: EtcdApi, members: list[Member]) -> dict[int, MemberStatus]:
    """By id, what each member says of itself; silent ones are left out."""
    found = {}
    for member in members:
        with suppress(EtcdUnavailableError):
            found[member.id] = etcd.status(member)
    return found


def answering(etcd: EtcdApi, members: list[Member]) -> set[int]:
    """Ids of the members that answer, know a leader and report no error."""
    return {one for one, status in statuses(etcd, members).items() if status.healthy}


def lists_agree(etcd: EtcdApi, members: list[Member]) -> bool:
    """Whether every voter's own list is `members`; a learner can't be asked."""
    return all(etcd.members_seen_by(member) == members for member in members if not member.is_learner)


def learning(platform: Platform, etcd: EtcdApi) -> set[str]:
    """Names of the targets that etcd lists as learners: their join was begun and not finished."""
    urls = {url for member in etcd.members() if member.is_learner for url in member.peer_urls}
    return {target.name for target in platform.new_members if peer_url(platform, target) in urls}
