"""The plan as text and as a page. Pure."""

from __future__ import annotations

from configs.rendering import rendered
from tasks.plan.plan import NOTHING, Plan
from tasks.report.history import lasting


def as_markdown(plan: Plan) -> str:
    """For the log, a terminal and Prefect's UI."""
    return rendered("plan.md.j2", plan=plan, duration=_duration(plan))


def as_html(plan: Plan) -> str:
    """One file that needs no network."""
    return rendered("plan.html.j2", plan=plan, duration=_duration(plan))


def _duration(plan: Plan) -> str:
    """How long all of it may take, as far as earlier runs let it be known."""
    phases = [phase.name for phase in plan.phases if phase.expected != NOTHING]
    unknown = [name for name in phases if name not in plan.expected.seconds]
    known = sum(seconds for name, seconds in plan.expected.seconds.items() if name in phases)
    if len(unknown) == len(phases):
        return "unknown: no earlier run of these machines has a report here"
    taken = f"about {lasting(known)}, as earlier runs took, and the time of approvals"
    return f"unknown for {', '.join(unknown)}; for the others {taken}" if unknown else taken
