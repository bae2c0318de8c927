"""Whether etcd can grow, and whether it has become what it was to become."""

from __future__ import annotations

from blocks.ports import EtcdApi
from configs.errors import EtcdUnavailableError, RefusedError, VerificationError
from configs.platform import Platform
from tasks.engine.outcome import Outcome, planned, unchanged
from tasks.engine.run import Run
from tasks.engine.step import step
from tasks.etcd import quorum
from tasks.etcd.members import answering, lists_agree
from tasks.etcd.unit import peer_url

# etcd 3.5.1 to 3.5.19 does not persist a learner's promotion, so that a later upgrade fails (etcd#19557).
UNPERSISTED_PROMOTION = (range(1, 20), "3.5.")


@step("check etcd")
def check_etcd(run: Run, platform: Platform, etcd: EtcdApi) -> Outcome:
    """Make sure that etcd can grow: every voter answers, all agree on the leader and on the list, no alarm, one version.

    Changes nothing. Undo: none needed.
    """
    # probe
    members = etcd.members()
    why_not = quorum.why_not_add(members, answering(etcd, members))
    if why_not is not None:
        raise RefusedError(f"etcd: {why_not}")
    voters = quorum.voters_of(members)
    statuses = [etcd.status(member) for member in voters]
    if len({status.leader for status in statuses}) != 1 or not lists_agree(etcd, members):
        raise EtcdUnavailableError(
            "etcd: members disagree on the leader or on the member list: wait until it has settled"
        )
    known = {peer_url(platform, machine) for machine in platform.machines}
    strangers = [member.name for member in voters if not known.intersection(member.peer_urls)]
    if strangers:
        raise RefusedError(
            f"etcd: members {', '.join(strangers)} are neither sources nor targets: add their machines to the config, or remove them"
        )

    # act
    # verify
    versions = sorted({status.version for status in statuses})
    notes = tuple(
        f"etcd {version} does not persist a learner's promotion (etcd#19557): upgrade before 3.6"
        for version in versions
        if _forgets(version)
    ) + ((f"mixed versions: {', '.join(versions)}",) if len(versions) > 1 else ())
    return unchanged(f"{len(voters)} voters, etcd {', '.join(versions)}", notes=notes)


def _forgets(version: str) -> bool:
    patches, minor = UNPERSISTED_PROMOTION
    patch = version.removeprefix(minor)
    return version.startswith(minor) and patch.isdigit() and int(patch) in patches


@step("verify etcd")
def verify_etcd(run: Run, platform: Platform, etcd: EtcdApi) -> Outcome:
    """Make sure that etcd's members are the targets, all voting, all healthy, and listed alike by each.

    Changes nothing. Undo: none needed.
    """
    # probe
    wanted = {peer_url(platform, target) for target in platform.new_members}
    if run.dry_run:
        return planned(f"etcd has exactly {len(wanted)} members, the targets")

    # act
    # verify
    members = etcd.members()
    found = {url for member in members if not member.is_learner for url in member.peer_urls}
    if found != wanted:
        raise VerificationError(
            f"etcd: voters are {sorted(found)}, not the targets {sorted(wanted)}: run the same command again"
        )
    silent = [member.name for member in members if member.id not in answering(etcd, members)]
    if silent or not lists_agree(etcd, members):
        raise VerificationError(
            f"etcd: {', '.join(silent) + ' do not answer' if silent else 'members list different members'}: "
            "systemctl status etcd there"
        )
    return unchanged(f"{len(members)} members, the same {len(members)} on each, all healthy")
