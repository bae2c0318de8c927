"""What somebody has to know who answers at a gate, in Markdown. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from configs.rendering import rendered
from tasks.engine.finding import Finding
from tasks.report.history import lasting


@dataclass(frozen=True)
class Evidence:
    """What is known when a run waits. Empty is what could not be asked, or is not there."""

    run: str
    plan: str
    """The hash and the age of the last dry run's plan, in words."""
    world: dict[str, Any]
    """As reports have it: voters, nodes."""
    backup: dict[str, Any]
    backup_age: str
    lasting: list[str]
    """What can't be undone from here to the next gate."""
    findings: list[Finding] = field(default_factory=list)
    clients: list[dict[str, Any]] = field(default_factory=list)
    """As reports have them, up to now."""


def as_markdown(evidence: Evidence) -> str:
    """For the pause's text and its artifact."""
    return rendered(
        "gate.md.j2",
        evidence=evidence,
        open=[finding for finding in evidence.findings if not finding.accepted],
        accepted=[finding for finding in evidence.findings if finding.accepted],
    )


def age(since: str, now: str) -> str:
    """How long ago, in words; both as journals write times."""
    return f"{lasting((datetime.fromisoformat(now) - datetime.fromisoformat(since)).total_seconds())} ago"
