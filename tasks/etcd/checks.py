"""Whether etcd can grow, and whether it has become what it was to become."""

from __future__ import annotations

from urllib.parse import urlsplit

from blocks.errors import EtcdUnavailableError
from blocks.etcd_urls import is_own_only
from blocks.ports import EtcdApi, Member
from configs.platform import Platform
from tasks.engine.check import check
from tasks.engine.finding import Checked, Findings
from tasks.etcd import quorum
from tasks.etcd.members import is_on, judge_health, lists_agree, lost_members, statuses
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
    lost = lost_members(platform, members)
    present = [member for member in members if member not in lost]
    voters = quorum.voters_of(present)
    said = statuses(etcd, voters)
    judge_health(found, present, said)
    _judge_membership(found, platform, voters)
    if found.found:
        return found.checked(f"{len(voters)} voters")
    if len({status.leader for status in said.values()}) != 1 or not lists_agree(etcd, members, without=lost):
        raise EtcdUnavailableError(
            "etcd: members disagree on the leader or on the member list: wait until it has settled", id="etcd-disagrees"
        )
    versions = sorted({status.version for status in said.values()})
    _judge_versions(found, versions)
    _judge_size(found, platform)
    _note_client_urls(found, present)
    return found.checked(f"{len(voters)} voters, etcd {', '.join(versions)}")


def _judge_membership(found: Findings, platform: Platform, voters: list[Member]) -> None:
    """A machine's member is known by its peer URL. One at a name or address that the config has not may still be its."""
    for member in voters:
        machine = next((machine for machine in platform.machines if is_on(machine, member)), None)
        urls = ", ".join(member.peer_urls)
        if machine is None:
            _refuse_stranger(found, platform, member, urls)
        elif not any(url.startswith(f"{platform.etcd.scheme}://") for url in member.peer_urls):
            _refuse_scheme(found, platform, f"member {member.name} has the peer URL {urls}")


def _refuse_scheme(found: Findings, platform: Platform, what: str) -> None:
    if platform.etcd.tls:
        remedy = "leave etcd.tls out if clients don't use TLS either; otherwise etcdctl member update --peer-urls=https://..."
        found.refuse("etcd-peer-plain", f"{what}: the config has etcd.tls, and members meet by plain HTTP", remedy, final=True)
    else:
        found.refuse("etcd-peer-tls", f"{what}: members meet by TLS", "write etcd.tls in the config", final=True)


def _refuse_stranger(found: Findings, platform: Platform, member: Member, urls: str) -> None:
    named = [urlsplit(url).hostname or "" for url in (*member.peer_urls, *member.client_urls)]
    likely = {member.name, *named, *(host.partition(".")[0] for host in named)}
    machine = next((m for m in platform.sources if {m.name, str(m.address)} & likely), None)
    if machine is not None:
        expected = peer_url(platform, machine)
        found.refuse(
            "etcd-peer-url-differs",
            f"member {member.name} has the peer URL {urls}, expected {expected} if it is {machine.name}'s",
            f"etcdctl member update {member.id:x} --peer-urls={expected}, or correct the config",
            final=True,
        )
        return
    found.refuse(
        "etcd-member-unknown",
        f"member {member.name} at {urls} is on neither a source nor a target by its address or name",
        "add its machine to the config, or write the address that it has there",
        final=True,
    )


def _note_client_urls(found: Findings, members: list[Member]) -> None:
    for member in members:
        if any(map(is_own_only, member.client_urls)):
            found.note(
                "etcd-client-url-loopback",
                f"member {member.name} advertises {', '.join(member.client_urls)}, which leads clients to their own machine",
                "nothing for the move; for others: --advertise-client-urls with its address",
            )


def _judge_versions(found: Findings, versions: list[str]) -> None:
    for version in filter(forgets_promotion, versions):
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


def forgets_promotion(version: str) -> bool:
    """Whether an etcd of this version, as etcd itself gives it, persists no promotion: its own decides, whoever leads."""
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
    judge_health(found, members, statuses(etcd, members))
    if not found.found and not lists_agree(etcd, members):
        found.refuse("etcd-lists-differ", "members list different members", "etcdctl member list on each", final=True)
    return found.checked(f"{len(members)} members, the same {len(members)} on each, all healthy")
