"""A target joins etcd: added as a learner, started, caught up, promoted; or taken back."""

from __future__ import annotations

import logging
from collections.abc import Callable

from blocks.errors import AnotherRunError, RefusedError
from blocks.ports import EtcdApi, Host, Member
from configs.errors import EvenkeelError
from configs.hosts import Target
from configs.platform import Platform
from tasks.engine.finding import Finding, note
from tasks.engine.outcome import Outcome, changed, planned, unchanged
from tasks.engine.run import Run
from tasks.engine.step import step
from tasks.engine.waiting import wait_until
from tasks.etcd.flags import Flags
from tasks.etcd.members import find_member, lists_agree, require_health
from tasks.etcd.unit import DROP_INS, etcd_unit, installing, peer_url
from tasks.shell.files import diff_of_ours, move_aside, read_file
from tasks.shell.script import STRICT, facts, parse_facts
from tasks.shell.units import is_on, unit_state

log = logging.getLogger(__name__)


@step("join etcd")
def ensure_voter(
    run: Run, host: Host, platform: Platform, target: Target, etcd: EtcdApi, carried: Callable[[], Flags]
) -> Outcome:
    """Make `target` a voting etcd member that has caught up, listed alike by all members, with the flags `carried` over to it.

    Refuses while a voter is silent or another learner is joining. Sources: etcd#8298, #13387, siderolabs/talos#14097.
    Undo: if it can't become one, the learner is removed, its unit stopped and its data moved aside.
    """
    # probe
    url = peer_url(platform, target)
    members = etcd.members()
    member = find_member(members, url)
    said = parse_facts(
        host.run(_question(platform), what="reading etcd's unit", timeout_s=platform.timeouts.command_s).stdout
    )
    if member is not None and not member.is_learner and is_on(said["state"]):
        return unchanged(f"a voter, member {member.id:x}")
    if member is None or member.is_learner:
        _refuse_join(host, target, members, member, said)
        require_health(f"{host.name}: joining etcd", etcd, within_s=0 if run.dry_run else platform.timeouts.etcd_settle_s)
    flags = carried()
    if run.dry_run:
        return planned(
            "joins as learner, then voter",
            diffs=(_planned_diff(platform, target, members, flags, said["unit"]),),
            findings=_drop_ins_noted(host, said),
        )

    # act
    with run.acting(host.name, "joining etcd"):
        started = False
        try:
            member = _learner(etcd, members, url, platform.timeouts.etcd_settle_s)
            started = True
            _start(host, platform, target, etcd.members(), flags)
            _promoted(etcd, url, platform.timeouts.etcd_catch_up_s)
        except EvenkeelError as error:
            journal = _journal(host) if started else ""
            error.within(
                f"{host.name}: joining etcd failed, {_taken_back(run, host, platform, etcd, url, started=started)}"
            )
            error.join([error.message, *([f"{host.name}: journalctl -u etcd ends with: {journal}"] if journal else [])])
            raise

    # verify
    wait_until(
        f"{host.name}: all etcd members list the same members",
        lambda: lists_agree(etcd, etcd.members()),
        timeout_s=platform.timeouts.etcd_settle_s,
        id="etcd-lists-unsettled",
    )
    return changed(f"voter, member {member.id:x}, of {len(members) + 1}", findings=_drop_ins_noted(host, said))


def _question(platform: Platform) -> str:
    drop_ins = f"find {' '.join(DROP_INS)} -name '*.conf'"
    return facts({"state": unit_state("etcd"), "unit": read_file(platform.etcd.unit_file), "drop_ins": drop_ins})


def _drop_ins_noted(host: Host, said: dict[str, str]) -> tuple[Finding, ...]:
    files = ", ".join(said["drop_ins"].split())
    what = f"{files}: drop-ins of the unit that ours replaces are moved aside, to FOLDER.aside-before-join"
    return (note("etcd-drop-ins-aside", host.name, what),) if files else ()


def _refuse_join(
    host: Host, target: Target, members: list[Member], own: Member | None, said: dict[str, str]
) -> None:
    other = next((m for m in members if m.is_learner and m is not own), None)
    if other is not None:
        raise RefusedError(
            f"{host.name}: joining etcd: another learner, {other.name or ', '.join(other.peer_urls)}, is joining; etcd takes one "
            f"at a time: let it finish, or etcdctl member remove {other.id:x}",
            id="etcd-learner-pending",
        )
    if own is None and said["state"].startswith("activ"):
        raise RefusedError(
            f"{host.name}: joining etcd: an etcd of another cluster is running there: "
            "systemctl disable --now etcd, then run the same command again",
            id="etcd-foreign-running",
        )
    if any(member.name == target.name for member in members if member is not own):
        raise RefusedError(
            f"{host.name}: joining etcd: a member at another address has this name: give the target another name in the config",
            id="etcd-name-clash",
        )


def _planned_diff(platform: Platform, target: Target, members: list[Member], flags: Flags, current: str) -> str:
    added = Member(0, target.name, (peer_url(platform, target),), (), is_learner=True)
    wanted = etcd_unit(platform, target, [*(m for m in members if m.peer_urls != added.peer_urls), added], flags)
    return diff_of_ours(platform.etcd.unit_file, current, wanted)


def _learner(etcd: EtcdApi, members: list[Member], url: str, timeout_s: float) -> Member:
    """The member with this URL, added as a learner unless an earlier attempt has. "unhealthy cluster" passes in 5 s."""
    return find_member(members, url) or wait_until(
        f"etcd takes {url} as a learner",
        lambda: find_member(etcd.members(), url) or etcd.add_learner(url),
        timeout_s=timeout_s,
        id="etcd-learner-not-added",
    )


def _start(host: Host, platform: Platform, target: Target, members: list[Member], flags: Flags) -> None:
    """Start the member; one that never published its name starts with an empty data folder and a new unit.

    What such a learner has on its disk is a partial copy of ours, or another cluster's data: it is moved aside.
    """
    own = find_member(members, peer_url(platform, target))
    script = "systemctl daemon-reload\nsystemctl enable etcd >/dev/null 2>&1\nsystemctl start --no-block etcd\n"
    if own is None or not own.name:
        script = installing(platform, etcd_unit(platform, target, members, flags)) + script
    host.run(STRICT + script, what="starting etcd", timeout_s=platform.timeouts.command_s)


def _journal(host: Host) -> str:
    """Why etcd did not start or catch up, in its own last words; empty when the machine can't be asked."""
    try:
        return host.run(
            "journalctl -u etcd -n 8 --no-pager -o cat", what="reading etcd's journal", check=False
        ).stdout.strip()[-900:]
    except EvenkeelError:
        return ""


def _promoted(etcd: EtcdApi, url: str, timeout_s: float) -> None:
    """Promote as soon as the leader says that the learner is in sync; asking is harmless before."""

    def ask() -> bool:
        member = find_member(etcd.members(), url)
        if member is None:
            raise RefusedError(
                f"etcd no longer lists {url}: something else removed it: etcdctl member list", id="etcd-learner-gone"
            )
        if member.is_learner:
            etcd.status(member)  # a learner that never started can be promoted by old versions (etcd#15096)
            etcd.promote(member)
        return True

    wait_until(f"etcd promotes {url}", ask, timeout_s=timeout_s, poll_s=0.5, id="etcd-not-promoted")


def _taken_back(run: Run, host: Host, platform: Platform, etcd: EtcdApi, url: str, *, started: bool) -> str:
    """Undo an unfinished join, and say in words what was undone. A run that has lost its lock undoes nothing: another run
    may be at work with this very learner. An undo that fails doesn't hide why the join did.
    """
    try:
        with run.acting(host.name, "taking its join of etcd back", undoing=True):
            return _back_out(host, platform, etcd, url, run.id, started=started)
    except AnotherRunError as lost:
        return f"nothing is taken back ({lost.message})"
    except EvenkeelError as error:
        return f"and it could not be taken back ({error.message}), the next run does"


def _back_out(host: Host, platform: Platform, etcd: EtcdApi, url: str, run_id: str, *, started: bool) -> str:
    """Remove the learner and clear its machine. A voter stays: only its answer was lost."""
    member = find_member(etcd.members(), url)
    if member is not None and not member.is_learner:
        return "it is a voter and stays one: run the same command again"
    if member is not None:
        etcd.remove(member)
    if member is not None or started:
        _clear(host, platform, run_id)
    return "the learner is removed again, etcd is as before" if member else "etcd does not list it and is as before"


def _clear(host: Host, platform: Platform, run_id: str) -> None:
    script = f"systemctl disable --now etcd >/dev/null 2>&1 || true\n{move_aside(platform.etcd.data_dir, run_id)}"
    try:
        host.run(script, what="clearing the failed learner", timeout_s=platform.timeouts.command_s)
    except EvenkeelError as error:
        log.warning(
            "%s: the learner's data could not be moved aside now, the next run will: %s", host.name, error.message
        )
