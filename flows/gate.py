"""A person's yes to a plan, before what can't be taken back. It fails closed: without an answer nothing is done."""

from __future__ import annotations

import hashlib
import logging
from typing import Literal

from prefect.exceptions import FlowPauseTimeout
from prefect.flow_runs import pause_flow_run
from prefect.input import RunInput
from pydantic import Field

from blocks.errors import RefusedError
from configs.platform import Gate, Platform
from flows.session import Session
from tasks.engine.journal import now
from tasks.engine.record import Record

log = logging.getLogger(__name__)

APPROVALS = "approvals"


class ApprovalMissingError(RefusedError):
    """A person has not said yes to this very plan."""

    id = "approval-missing"


class Approval(RunInput):
    """The answer. No field has a default: a forced resume without an answer must not pass for a yes."""

    decision: Literal["approve", "abort"] = Field(description="approve what the log and the artifact say will be done")
    operator: str = Field(min_length=1, description="who says so")
    platform: str = Field(description="the platform's name, typed out")


def pass_gate(session: Session, gate: Gate, *, told_not_to_ask: bool) -> None:
    """Return only if nobody has to be asked at this gate, or this migration has a yes to what comes behind it."""
    if gate not in session.platform.gates or session.record.finished:
        return
    plan = behind(gate, session.platform)
    require_approval(session, plan, told_not_to_ask=told_not_to_ask)
    if not session.run.dry_run:
        refuse_unapproved(session.record, plan)


def behind(gate: Gate, platform: Platform) -> str:
    """What comes behind a gate of a migration; the same words as long as the config names the same machines."""
    sources, targets = (", ".join(machine.name for machine in group) for group in (platform.sources, platform.targets))
    holders = ", ".join(target.name for target in platform.vip_holders)
    return {
        Gate.BEGIN: f"- back the database up, uninstall the old platform on {targets} (there is no undo), join them to etcd and k3s",
        Gate.DRAIN: f"- drain {sources}, one at a time, and hand the VIP {platform.vip} over to one of {holders}",
        Gate.RETIRE: f"- stop k3s and etcd on {sources}, delete their nodes, remove their etcd members: {targets} are on their own",
    }[gate]


def plan_hash(plan: str) -> str:
    """What an approval is for: exactly this text."""
    return hashlib.sha256(plan.encode()).hexdigest()[:16]


def require_approval(session: Session, plan: str, *, told_not_to_ask: bool) -> None:
    """Return only if this very plan is approved in the record; ask a person in Prefect's UI otherwise.

    Raises ApprovalMissingError for a no, for another platform's name, and when nobody answers in time.
    """
    name = session.platform.name
    log.info("%s: the plan:\n%s", name, plan)
    if session.run.dry_run or session.record.read(f"{APPROVALS}/{plan_hash(plan)}") is not None:
        return
    if told_not_to_ask:
        _keep(session.record, plan, "nobody: the run was told not to ask")
        return
    try:
        answer = pause_flow_run(
            wait_for_input=Approval.with_initial_data(description=f"## {name}\n\n{plan}"),
            timeout=int(session.platform.timeouts.approval_s),
        )
    except FlowPauseTimeout as error:
        raise ApprovalMissingError(
            f"{name}: nobody answered within {session.platform.timeouts.approval_s:g} s: nothing further is done"
        ) from error
    if answer.decision != "approve" or answer.platform != name:
        raise ApprovalMissingError(
            f"{name}: {answer.operator} answered {answer.decision} for {answer.platform!r}: nothing further is done"
        )
    _keep(session.record, plan, answer.operator)


def refuse_unapproved(record: Record, plan: str) -> None:
    """Raise ApprovalMissingError unless the record has a yes to this very plan: a forced retry passes Prefect's own gate."""
    if record.read(f"{APPROVALS}/{plan_hash(plan)}") is None:
        raise ApprovalMissingError("the present plan was not approved: run again, read it, and answer")


def _keep(record: Record, plan: str, operator: str) -> None:
    record.write(f"{APPROVALS}/{plan_hash(plan)}", {"operator": operator, "at": now(), "plan": plan})
