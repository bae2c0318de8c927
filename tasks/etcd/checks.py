"""Whether etcd can grow, and whether it has become what it was to become."""

from __future__ import annotations

from blocks.errors import EtcdUnavailableError
from blocks.ports import EtcdApi, Member, MemberStatus
from configs.platform import Platform
from tasks.engine.check import check
from tasks.engine.finding import Checked, Findings
from tasks.etcd import quorum
from tasks.etcd.members import answering, lists_agree
from tasks.etcd.unit import peer_url

# etcd 3.5.1 to 3.5.19 does not persist a learner's promotion, so that a later upgrade fails (etcd#19557).
UNPERSISTED_PROMOTION = (range(1, 20), "3.5.")
MAX_RECOMMENDED_MEMBERS = 7  # etcd's FAQ: more voters make every write wait for more of them


@check("check etcd")
def check_etcd(platform: Platform, etcd: EtcdApi) -> Checked:
    """Every voter answers, all agree on the leader and on the member list, no alarm is raised, all members are known.

    Raises EtcdUnavailableError while the members disagree: a settling cluster is asked again.
    """
    found = Findings("etcd")
    members = etcd.members()
    voters = quorum.voters_of(members)
    why_not = quorum.why_not_add(members, answering(etcd, members))
    if why_not is not None:
        found.refuse("etcd-voters-silent", why_not, "systemctl status etcd there", final=True)
        return found.checked(f"{len(voters)} voters")
    statuses = [etcd.status(member) for member in voters]
    if len({status.leader for status in statuses}) != 1 or not lists_agree(etcd, members):
        raise EtcdUnavailableError(
            "etcd: members disagree on the leader or on the member list: wait until it has settled", id="etcd-disagrees"
        )
    _judge_membership(found, platform, voters)
    _judge_versions(found, statuses)
    _judge_size(found, platform)
    return found.checked(f"{len(voters)} voters, etcd {', '.join(sorted({status.version for status in statuses}))}")


def _judge_membership(found: Findings, platform: Platform, voters: list[Member]) -> None:
    known = {peer_url(platform, machine) for machine in platform.machines}
    strangers = [member.name for member in voters if not known.intersection(member.peer_urls)]
    if strangers:
        found.refuse(
            "etcd-member-unknown",
            f"members {', '.join(strangers)} are neither sources nor targets",
            "add their machines to the config, or remove them: etcdctl member list",
            final=True,
        )


def _judge_versions(found: Findings, statuses: list[MemberStatus]) -> None:
    versions = sorted({status.version for status in statuses})
    for version in filter(_forgets, versions):
        found.warn(
            "etcd-promotion-not-persisted",
            f"etcd {version} does not persist a learner's promotion (etcd#19557)",
            "upgrade to 3.5.20 or newer before 3.6",
        )
    if len(versions) > 1:
        found.warn(
            "etcd-mixed-versions", f"members run different versions: {', '.join(versions)}", "finish the upgrade first"
        )


def _judge_size(found: Findings, platform: Platform) -> None:
    """The size that the configuration asks for, at the end and on the way."""
    voters = len(platform.new_members)
    peak = voters + len(platform.sources)
    if voters > 1 and quorum.tolerance(voters) == quorum.tolerance(voters - 1):
        found.warn(
            "etcd-even-members",
            f"{voters} members tolerate the loss of {quorum.tolerance(voters)}, no more than {voters - 1} do",
            "set 'etcd: false' on one target, or true on one more",
        )
    if peak > MAX_RECOMMENDED_MEMBERS:
        found.note(
            "etcd-many-members",
            f"grows to {peak} members during the move; every write then waits for {quorum.quorum(peak)} of them",
        )


def _forgets(version: str) -> bool:
    patches, minor = UNPERSISTED_PROMOTION
    patch = version.removeprefix(minor)
    return version.startswith(minor) and patch.isdigit() and int(patch) in patches


@check("verify etcd", after_acts=True)
def verify_etcd(platform: Platform, etcd: EtcdApi) -> Checked:
    """The members of etcd are exactly the targets, all voting, all healthy, and listed alike by each."""
    found = Findings("etcd")
    expected = {peer_url(platform, target) for target in platform.new_members}
    members = etcd.members()
    actual = {url for member in members if not member.is_learner for url in member.peer_urls}
    if actual != expected:
        found.refuse(
            "etcd-not-the-targets",
            f"voters are {', '.join(sorted(actual))}, expected {', '.join(sorted(expected))}",
            "run the same command again",
            final=True,
        )
        return found.checked(f"{len(members)} members")
    healthy = answering(etcd, members)
    silent = [member.name for member in members if member.id not in healthy]
    if silent:
        found.refuse(
            "etcd-member-silent", f"{', '.join(silent)} do not answer", "systemctl status etcd there", final=True
        )
    elif not lists_agree(etcd, members):
        found.refuse("etcd-lists-differ", "members list different members", "etcdctl member list on each", final=True)
    return found.checked(f"{len(members)} members, the same {len(members)} on each, all healthy")
