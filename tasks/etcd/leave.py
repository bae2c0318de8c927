"""A source leaves etcd: its leadership handed over, its member removed, its data moved aside."""

from __future__ import annotations

from blocks.errors import EtcdUnavailableError, RefusedError, VerificationError
from blocks.ports import EtcdApi, Host
from configs.hosts import Machine
from configs.platform import Platform
from tasks.engine.outcome import Outcome, changed, planned, unchanged
from tasks.engine.run import Run
from tasks.engine.step import step
from tasks.engine.waiting import wait_until
from tasks.etcd import quorum
from tasks.etcd.members import answering, lists_agree, member_of, statuses
from tasks.etcd.quorum import QuorumAtRiskError
from tasks.shell.files import move_aside
from tasks.shell.script import STRICT, facts, parse_facts
from tasks.shell.units import is_off, unit_state


@step("move etcd leader")
def ensure_not_leader(run: Run, source: Machine, platform: Platform, etcd: EtcdApi) -> Outcome:
    """Make a target's member the leader if this machine's leads: by transfer, without an election timeout.

    Undo: none needed.
    """
    # probe
    members = etcd.members()
    leaving = member_of(members, source)
    if leaving is None:
        return unchanged("not a member")
    if run.dry_run:
        return planned("if it leads etcd by then, a target's member takes over")
    voters = [m for t in platform.new_members if (m := member_of(members, t)) and not m.is_learner]
    if not voters:
        raise RefusedError(
            f"{source.name}: moving etcd's leadership: no target is a voter yet: let one join first",
            id="etcd-no-successor",
        )
    healthy = {one: status for one, status in statuses(etcd, voters).items() if status.leader}
    if not healthy:
        raise EtcdUnavailableError(
            f"{source.name}: moving etcd's leadership: no target's member answers: systemctl status etcd on the targets",
            id="etcd-targets-silent",
        )
    if all(status.leader != leaving.id for status in healthy.values()):
        return unchanged("does not lead")

    # act
    successor = max((m for m in voters if m.id in healthy), key=lambda m: healthy[m.id].raft_index)
    with run.acting(source.name, f"handing etcd's leadership to {successor.name}"):
        etcd.move_leader(successor)

    # verify
    wait_until(
        f"{successor.name} leads etcd",
        lambda: etcd.status(successor).leader == successor.id,
        timeout_s=platform.timeouts.etcd_settle_s,
        id="etcd-leader-not-moved",
    )
    return changed(f"{successor.name} leads now")


@step("remove etcd member")
def ensure_not_member(run: Run, source: Machine, platform: Platform, etcd: EtcdApi) -> Outcome:
    """Make etcd no longer list this machine, on any member.

    Undo: none; a removed member comes back only as a new one with an empty data folder.
    """
    # probe
    members = etcd.members()
    leaving = member_of(members, source)
    if leaving is None:
        return unchanged("not a member")
    if run.dry_run:
        return planned(f"member {leaving.id:x} is removed")
    why_not = quorum.why_not_remove(members, leaving, answering(etcd, members))
    if why_not is not None:
        raise QuorumAtRiskError(f"{source.name}: removing its etcd member: {why_not}: bring members back first")

    # act
    with run.acting(source.name, f"removing etcd member {leaving.id:x}"):
        etcd.remove(leaving)

    # verify
    wait_until(
        f"{source.name} has left every member's list",
        lambda: member_of(now := etcd.members(), source) is None and lists_agree(etcd, now),
        timeout_s=platform.timeouts.etcd_settle_s,
        id="etcd-member-not-removed",
    )
    return changed(f"member {leaving.id:x} removed, {len(members) - 1} left")


@step("retire etcd data")
def ensure_etcd_retired(
    run: Run, host: Host, platform: Platform, source: Machine, etcd: EtcdApi, migration: str
) -> Outcome:
    """Make etcd not run on the machine, now or after a reboot; its data is kept, moved aside.

    Undo: none; the data is a copy of what the cluster has.
    """
    # probe
    data = platform.etcd.data_dir
    question = facts(
        {"state": unit_state("etcd"), "data": f"find {data} -mindepth 1 -maxdepth 1 ! -name '.aside-*' -print -quit"}
    )
    said = parse_facts(host.run(question, what="reading etcd's unit", timeout_s=platform.timeouts.command_s).stdout)
    if is_off(said["state"]) and not said["data"]:
        return unchanged("etcd is off and disabled, its data is moved aside")
    if run.dry_run:
        return planned(f"etcd is stopped and disabled, {data} moved aside")
    member = member_of(etcd.members(), source)
    if member is not None:
        raise RefusedError(
            f"{host.name}: retiring etcd's data: it is still member {member.id:x}: remove the member first",
            id="etcd-still-member",
        )

    # act
    with run.acting(host.name, "stopping etcd, moving its data aside"):
        script = f"{STRICT}systemctl disable --now etcd 2>/dev/null\n{move_aside(data, migration)}set +e\n{question}"
        answer = host.run(script, what="retiring etcd's data", timeout_s=platform.timeouts.command_s)

    # verify
    left = parse_facts(answer.stdout)
    if not is_off(left["state"]) or left["data"]:
        raise VerificationError(
            f"{host.name}: etcd was stopped and its data moved aside, but {_not_retired(left, data)}: "
            f"systemctl status etcd; ls -A {data}",
            id="etcd-not-retired",
        )
    return changed(f"etcd is off and disabled, its data is in {data}.aside-{migration}")


def _not_retired(left: dict[str, str], data: str) -> str:
    state = " ".join(left["state"].split()) or "in an unknown state"
    return f"{data} is not empty" if is_off(left["state"]) else f"the unit is {state}"
