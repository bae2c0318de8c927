"""Manual approval of a plan before what can't be undone. It fails closed: no answer means no."""

from __future__ import annotations

import hashlib
import itertools
import logging
from collections.abc import Collection, Sequence
from typing import Literal

from prefect import Task
from prefect.exceptions import FlowPauseTimeout
from prefect.flow_runs import pause_flow_run
from prefect.input import RunInput
from pydantic import Field

from blocks.errors import RefusedError
from configs.hosts import Target
from configs.platform import Gate, Platform
from flows.evidence import evidence_of
from flows.report import show
from flows.session import Session
from tasks.engine.journal import now
from tasks.engine.outcome import Outcome
from tasks.engine.record import Record
from tasks.engine.step import undo_of
from tasks.etcd.leave import ensure_not_member
from tasks.machine.uninstall import ensure_old_platform_gone
from tasks.report.evidence import as_markdown

log = logging.getLogger(__name__)

APPROVALS = "approvals"
PHASES = {Gate.BEGIN: ("backup", "canary"), Gate.CANARY: ("join",), Gate.DRAIN: ("drain", "keepalived"), Gate.RETIRE: ("retire",)}
"""What a run does behind each gate, up to the next one."""
LASTING: dict[Gate, tuple[Task[..., Outcome], ...]] = {
    Gate.BEGIN: (ensure_old_platform_gone,),
    Gate.CANARY: (ensure_old_platform_gone,),
    Gate.DRAIN: (),
    Gate.RETIRE: (ensure_not_member,),
}
"""Their steps that every migration has and that can't be undone."""


class ApprovalMissingError(RefusedError):
    """Nobody has approved exactly this plan."""

    id = "approval-missing"


class Approval(RunInput):
    """The answer. No field has a default: a forced resume without an answer must not pass for an approval."""

    decision: Literal["approve", "abort"] = Field(description="approve exactly the plan that is shown")
    operator: str = Field(min_length=1, description="your name, for the record")
    platform: str = Field(description="the platform's name, typed out")


def pass_gate(session: Session, gate: Gate, *, approved: bool, targets: tuple[Target, ...] = ()) -> None:
    """Return only if the config has no such gate, the migration is finished, or what follows the gate is approved.

    A run that works on some `targets` only needs approval of the plan for these, or of the plan for all.
    """
    platform = session.platform
    if gate not in platform.gates or session.record.finished:
        return
    whole, plan = plan_behind(gate, platform, platform.targets), plan_behind(gate, platform, targets or platform.targets)
    if plan != whole and is_approved(session.record, whole):
        return
    phases, lasting = behind(gate, platform)
    require_approval(session, plan, approved=approved, lasting=lasting, phases=phases)
    if not session.run.dry_run:
        refuse_unapproved(session.record, plan)


def plan_behind(gate: Gate, platform: Platform, worked_on: tuple[Target, ...]) -> str:
    """What a migration does after a gate, in words; the same text as long as it is for the same machines."""
    sources, targets = (", ".join(machine.name for machine in group) for group in (platform.sources, worked_on))
    others = ", ".join(target.name for target in worked_on if target != platform.targets[0])
    holders = ", ".join(target.name for target in platform.vip_holders)
    joined = "(can't be undone), join them to etcd and k3s"
    moving = platform.backup.lake.move and worked_on == platform.targets  # with some of them only, bricks stay
    bricks = f", replace the file lake's bricks on {sources} one at a time" if moving else ""
    return {
        Gate.BEGIN: f"- back up the database, uninstall the old platform on {targets} {joined}{bricks}",
        Gate.CANARY: f"- uninstall the old platform on {others} {joined}, as the first target was{bricks}",
        Gate.DRAIN: f"- drain {sources}, one at a time, and hand the VIP {platform.vip} over to one of {holders}",
        Gate.RETIRE: f"- stop k3s and etcd on {sources}, delete their nodes, remove their etcd members: only {targets} remain",
    }[gate]


def plan_hash(plan: str) -> str:
    """The key of an approval in the record: it is for exactly this text."""
    return hashlib.sha256(plan.encode()).hexdigest()[:16]


def behind(gate: Gate, platform: Platform) -> tuple[set[str], list[str]]:
    """The phases from a gate to the next one of the config, and which of their steps can't be undone."""
    order = list(Gate)
    later = order[order.index(gate) + 1 :]
    waits = set(platform.gates) - (set() if platform.canary else {Gate.CANARY})
    passed = [gate, *itertools.takewhile(lambda one: one not in waits, later)]
    steps = dict.fromkeys(step for one in passed for step in LASTING[one])
    return {phase for one in passed for phase in PHASES[one]}, [f"{step.name}: {undo_of(step.fn).removeprefix('none; ')}" for step in steps]


def require_approval(
    session: Session, plan: str, *, approved: bool, lasting: Sequence[str] = (), phases: Collection[str] = ()
) -> None:
    """Return only if exactly this plan is approved in the record; with `approved` nobody is asked in Prefect's UI for it.

    Who is asked is shown the evidence with it, and what can't be undone: `lasting`, or what the last plan has for these `phases`.

    Raises ApprovalMissingError for a no, for another platform's name, and when nobody answers in time. A dry run asks nobody.
    """
    name = session.platform.name
    log.info("%s: the plan:\n%s", name, plan)
    if session.run.dry_run or is_approved(session.record, plan):
        return
    if approved:
        _keep(session.record, plan, "nobody was asked: approved=true")
        return
    answer = _ask(session.platform, f"{plan}\n\n{_shown(session, lasting, phases)}")
    if answer.decision != "approve" or answer.platform != name:
        raise ApprovalMissingError(
            f"{name}: approval: {answer.operator} answered {answer.decision!r} for {answer.platform!r}, expected 'approve' for "
            f"{name!r}, the run ends before this plan: run the same command again to be asked again",
            id="approval-refused",
        )
    _keep(session.record, plan, answer.operator)


def _shown(session: Session, lasting: Sequence[str], phases: Collection[str]) -> str:
    """The evidence, which is an artifact, too: `evenkeel approve` shows it in a terminal."""
    text = as_markdown(evidence_of(session, lasting, phases))
    log.info("%s: what is known at this gate:\n%s", session.platform.name, text)
    return text


def _ask(platform: Platform, shown: str) -> Approval:
    """What somebody answers to what is shown, while the run is paused. Raises ApprovalMissingError when nobody does."""
    show(f"# {platform.name} waits for approval\n\n{shown}", f"gate-{platform.name}", "what is approved, and the evidence")
    try:
        return pause_flow_run(
            wait_for_input=Approval.with_initial_data(description=f"## {platform.name}\n\n{shown}"),
            timeout=int(platform.timeouts.approval_s),
        )
    except FlowPauseTimeout as error:
        raise ApprovalMissingError(
            f"{platform.name}: approval: no answer within {platform.timeouts.approval_s:g} s, the run ends before this plan: "
            "run the same command again, and answer in Prefect's UI or by evenkeel approve",
            id="approval-timed-out",
        ) from error


def refuse_unapproved(record: Record, plan: str) -> None:
    """Raise ApprovalMissingError unless the record has an approval of exactly this plan.

    It is asked after `require_approval`, too: a retry that is forced in the UI passes Prefect's own pause.
    """
    if not is_approved(record, plan):
        raise ApprovalMissingError(
            "approval: the record has none for the current plan: run the same command again, read the plan, and answer"
        )


def is_approved(record: Record, plan: str) -> bool:
    """Whether somebody has approved exactly this plan."""
    return record.read(f"{APPROVALS}/{plan_hash(plan)}") is not None


def _keep(record: Record, plan: str, operator: str) -> None:
    record.write(f"{APPROVALS}/{plan_hash(plan)}", {"operator": operator, "at": now(), "plan": plan})
