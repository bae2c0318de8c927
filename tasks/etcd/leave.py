"""A source leaves etcd: its leadership handed over, its member removed, its data moved aside."""

from __future__ import annotations

from shlex import quote

from blocks.errors import EtcdUnavailableError, RefusedError, VerificationError
from blocks.ports import EtcdApi, Host
from configs.hosts import Machine
from configs.platform import Platform
from tasks.engine.finding import Finding, warning
from tasks.engine.outcome import Outcome, changed, planned, unchanged
from tasks.engine.run import Run
from tasks.engine.step import step
from tasks.engine.waiting import wait_until
from tasks.etcd import quorum
from tasks.etcd.flags import QUESTION, parse_flags
from tasks.etcd.members import answering, lists_agree, member_of, statuses
from tasks.etcd.quorum import QuorumAtRiskError
from tasks.shell.files import move_aside
from tasks.shell.script import STRICT, fact, facts, parse_facts
from tasks.shell.units import is_off, unit_state

# Of all folders that etcd's unit, files or process name, and the config's: those with data of etcd, and what of each is etcd's:
# where links lead; in a folder that it shares with others only its part.
FULL_FOLDERS = r"""
    for d in $({{
        echo {}
        printf '%s ' "$words" "$unit" | tr '\n' ' ' | grep -oE -- '(data|wal)-dir[= ]+[^ ]+'
        printf '%s\n' "$environ" "$files" "$unit" | grep -oE 'ETCD_(DATA|WAL)_DIR=[^ ]+'
        test -z "$config" || grep -E '^(data|wal)-dir:' "$config"
    }} | sed -E "s/^[^=: ]*[=: ]+//; s/[\"']//g" | sort -u); do
        r=$(readlink -f "$d"); test -e "$r/member" || compgen -G "$r/*.wal" >/dev/null || continue
        others=$(find "$r" -mindepth 1 -maxdepth 1 ! -name '.aside-*' ! -name member ! -name '*.wal' ! -name '*.tmp' ! -name lost+found)
        test -z "$others" || {{ test -e "$r/member" || continue; r=$r/member; }}
        echo "$d" "$r"
    done
"""


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
        still=lambda: "another one does: etcdctl endpoint status --cluster -w table",
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

    Undo: none needed; the data is a copy of what the cluster has.
    """
    # probe
    question = QUESTION + facts(
        {"state": unit_state("etcd"), "full": FULL_FOLDERS.format(quote(platform.etcd.data_dir))}
    )
    said = parse_facts(host.run(question, what="reading etcd's unit", timeout_s=platform.timeouts.command_s).stdout)
    folders, findings = _folders(host, platform, said)
    full = [real for folder, real in _full(said) if folder in folders]
    if is_off(said["state"]) and not full:
        return unchanged(
            f"etcd is off and disabled, no data in {' and '.join(folders) or 'a known folder'}", findings=findings
        )
    if run.dry_run:
        return planned(
            f"etcd is stopped and disabled, {' and '.join(full) or 'no data'} moved aside", findings=findings
        )
    member = member_of(etcd.members(), source)
    if member is not None:
        raise RefusedError(
            f"{host.name}: retiring etcd's data: it is still member {member.id:x}: remove the member first",
            id="etcd-still-member",
        )

    # act
    with run.acting(host.name, "stopping etcd, moving its data aside"):
        moves = "".join(move_aside(real, migration) + fact(f"aside:{real}", 'echo "$n"') for real in full)
        script = f"{STRICT}systemctl disable --now etcd 2>/dev/null\n{moves}set +e\n{question}"
        answer = host.run(script, what="retiring etcd's data", timeout_s=platform.timeouts.command_s)

    # verify
    left = parse_facts(answer.stdout)
    stay = [real for folder, real in _full(left) if folder in folders]
    if not is_off(left["state"]) or stay:
        raise VerificationError(
            f"{host.name}: etcd was stopped and its data moved aside, but {_not_retired(left, stay)}: systemctl status etcd there",
            id="etcd-not-retired",
        )
    asides = " and ".join(left[f"aside:{real}"] for real in full)
    where = (
        f"its data is in {asides}" if asides else f"there was no data in {' and '.join(folders) or 'a known folder'}"
    )
    return changed(f"etcd is off and disabled, {where}", findings=findings)


def _folders(host: Host, platform: Platform, said: dict[str, str]) -> tuple[list[str], tuple[Finding, ...]]:
    """Where this machine's etcd keeps its data, by its own flags; the config's folder is that of the targets."""
    flags = parse_flags(said)
    if flags is None:
        return [platform.etcd.data_dir], ()
    folders = [flags[name] for name in ("data-dir", "wal-dir") if flags.get(name)] or [
        f"{flags.get('name', 'default')}.etcd"
    ]
    unknown = [folder for folder in folders if not folder.startswith("/")]
    what = f"its etcd's data stay where they are: {', '.join(unknown)} in the working folder of its unit"
    remedy = "systemctl cat etcd; mv the folder when the move is verified"
    findings = (warning("etcd-data-not-moved", host.name, what, remedy),) if unknown else ()
    return [folder for folder in folders if folder not in unknown], findings


def _full(said: dict[str, str]) -> list[tuple[str, str]]:
    """Folders with data of etcd: as they are written, and what of them is etcd's."""
    return [(words[0], words[-1]) for line in said["full"].splitlines() if (words := line.split())]


def _not_retired(left: dict[str, str], stay: list[str]) -> str:
    state = " ".join(left["state"].split()) or "in an unknown state"
    return f"{', '.join(stay)} is not empty" if is_off(left["state"]) else f"the unit is {state}"
