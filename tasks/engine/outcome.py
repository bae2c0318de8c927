"""What a step answers: whether it changed the world, and why or why not. Failure is an exception, never an answer."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


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
    notes: tuple[str, ...] = ()


def unchanged(why: str, *, notes: tuple[str, ...] = ()) -> Outcome:
    """The world is as wished already."""
    return Outcome(Change.UNCHANGED, why, notes=notes)


def changed(why: str, *, diffs: tuple[str, ...] = (), notes: tuple[str, ...] = ()) -> Outcome:
    """The world was changed, and seen to be as wished."""
    return Outcome(Change.CHANGED, why, diffs, notes)


def planned(why: str, *, diffs: tuple[str, ...] = (), notes: tuple[str, ...] = ()) -> Outcome:
    """A dry run would have changed the world."""
    return Outcome(Change.PLANNED, why, diffs, notes)
