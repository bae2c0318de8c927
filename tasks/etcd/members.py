"""The members of the platform's etcd: found by URL, asked for their status, compared."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from contextlib import suppress
from urllib.parse import urlsplit

from blocks.errors import DeadlineExceededError, EtcdUnavailableError
from blocks.ports import EtcdApi, Member, MemberStatus
from configs.hosts import Machine
from configs.platform import Platform
from tasks.engine.finding import Finding, Findings, FindingsError
from tasks.engine.waiting import wait_until
from tasks.etcd import quorum
from tasks.etcd.unit import peer_url

ALARM = re.compile(r"memberID:(\d+) alarm:(\w+)")  # as a status' errors have it
PASSING = {"etcd-voters-silent", "etcd-voters-leaderless"}
"""What passes by itself while a member starts again or a leader is elected."""


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
    """Ids of the members that answer and know a leader: those that count for the quorum, whatever alarm is raised."""
    return {one for one, status in statuses(etcd, members).items() if status.leader}


def judge_health(found: Findings, members: list[Member], said: Mapping[int, MemberStatus]) -> None:
    """Refuse what keeps etcd from being changed: each kind with its own remedy, for each is mended in its own way."""
    voters = quorum.voters_of(members)
    unstarted = [member for member in voters if not member.client_urls]
    for member in unstarted:
        what = f"member {member.id:x} at {', '.join(member.peer_urls)} was added as a voter and has never started"
        found.refuse(
            "etcd-voter-unstarted", what, f"start etcd there, or etcdctl member remove {member.id:x}", final=True
        )
    why_not = quorum.why_not_add(members, [*said, *(member.id for member in unstarted)])
    if why_not is not None:
        found.refuse("etcd-voters-silent", why_not, "systemctl status etcd there", final=True)
    leaderless = ", ".join(member.name for member in voters if member.id in said and not said[member.id].leader)
    if leaderless:
        what = f"{leaderless} answer, but know no leader: they don't reach enough others"
        found.refuse(
            "etcd-voters-leaderless",
            what,
            "open the peer port between all members; journalctl -u etcd there",
            final=True,
        )
    names = {member.id: member.name for member in members}
    for raised in sorted(
        {alarm for status in said.values() for text in status.errors for alarm in ALARM.findall(text)}
    ):
        _judge_alarm(found, names.get(int(raised[0]), f"{int(raised[0]):x}"), raised[1])


def _judge_alarm(found: Findings, name: str, alarm: str) -> None:
    if alarm == "NOSPACE":
        remedy = "etcdctl compact REVISION; etcdctl defrag --cluster; etcdctl alarm disarm"
        found.refuse(
            "etcd-alarm", f"alarm NOSPACE on {name}: its quota is used up, etcd takes no writes", remedy, final=True
        )
    else:
        remedy = (
            "replace that member: etcdctl member remove, then add it with an empty data folder; etcdctl alarm disarm"
        )
        found.refuse("etcd-alarm", f"alarm {alarm} on {name}: its data differs from the others'", remedy, final=True)


def require_health(where: str, etcd: EtcdApi, *, within_s: float) -> None:
    """Raise FindingsError while etcd can't be changed. A voter that was just restarted, or has lost its leader, gets `within_s`
    seconds to come back.
    """

    last: list[Finding] = []

    def settled() -> bool:
        found, members = Findings(where), etcd.members()
        judge_health(found, members, statuses(etcd, quorum.voters_of(members)))
        last[:] = found.found
        return PASSING.isdisjoint(one.id for one in last)

    try:
        wait_until(f"{where}: every voter answers", settled, timeout_s=within_s)
    except DeadlineExceededError:
        if not last:  # etcd did not say what is wrong
            raise
    if last:
        raise FindingsError(last)


def lists_agree(etcd: EtcdApi, members: list[Member], *, without: Collection[Member] = ()) -> bool:
    """Whether every voter's own list is `members`; a learner can't be asked, nor who is `without`."""
    asked = (member for member in members if not member.is_learner and member not in without)
    return all(etcd.members_seen_by(member) == members for member in asked)


def lost_members(platform: Platform, members: Collection[Member]) -> list[Member]:
    """Members of sources that have died for good: they are removed, not judged."""
    return [member for member in members if any(is_on(source, member) for source in platform.lost)]


def learning(platform: Platform, etcd: EtcdApi) -> set[str]:
    """Names of the targets that etcd lists as learners: their join was begun and not finished."""
    return _targets_of(platform, [member for member in etcd.members() if member.is_learner])


def voting(platform: Platform, etcd: EtcdApi) -> set[str]:
    """Names of the targets that etcd lists as voters."""
    return _targets_of(platform, quorum.voters_of(etcd.members()))


def _targets_of(platform: Platform, members: list[Member]) -> set[str]:
    urls = {url for member in members for url in member.peer_urls}
    return {target.name for target in platform.new_members if peer_url(platform, target) in urls}
