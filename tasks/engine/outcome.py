"""What a step returns: whether it changed the world, and why or why not. A failure is an exception, never an outcome."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tasks.engine.finding import Finding


class Change(StrEnum):
    """`PLANNED` only in a dry run."""

    UNCHANGED = "unchanged"
    CHANGED = "changed"
    PLANNED = "planned"


@dataclass(frozen=True)
class Outcome:
    """One step's answer about one target. `why` is a sentence; `diffs` are unified diffs of files, without secrets."""

    change: Change
    why: str
    diffs: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()


def unchanged(why: str, *, findings: tuple[Finding, ...] = ()) -> Outcome:
    """The world is as expected already."""
    return Outcome(Change.UNCHANGED, why, findings=findings)


def changed(why: str, *, diffs: tuple[str, ...] = (), findings: tuple[Finding, ...] = ()) -> Outcome:
    """The world was changed, and verified to be as expected."""
    return Outcome(Change.CHANGED, why, diffs, findings)


def planned(why: str, *, diffs: tuple[str, ...] = (), findings: tuple[Finding, ...] = ()) -> Outcome:
    """A run would change the world; this one is a dry run."""
    return Outcome(Change.PLANNED, why, diffs, findings)
