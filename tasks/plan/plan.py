"""The plan as a value, made of a dry run's report: steps by phase, the way back of each, etcd's memberships, a hash. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby

from tasks.engine.finding import Finding, Level
from tasks.engine.journal import PLANNED, Entry, Report
from tasks.etcd.join import ensure_voter
from tasks.etcd.leave import ensure_not_member
from tasks.etcd.quorum import Membership, memberships
from tasks.report.history import Expected, lasting

Key = Callable[[Entry], tuple[str, ...]]
NOTHING = "nothing to do"
NO_UNDO, NEEDS_NONE = "none", "none needed"
GATED = {"begin": "backup", "canary": "join", "drain": "drain", "retire": "retire"}
"""Each gate, and the phase before which it waits."""


@dataclass(frozen=True)
class Action:
    """A step, on all targets on which it would change something."""

    step: str
    undo: str
    entries: tuple[Entry, ...]

    @property
    def lasting(self) -> bool:
        """Whether it can't be undone."""
        return is_lasting(self.undo)

    @property
    def way_back(self) -> str:
        """How it is undone, or what stays where it can't be."""
        return self.undo.removeprefix(f"{NO_UNDO}; ") if self.lasting else self.undo

    @property
    def targets(self) -> str:
        return ", ".join(entry.target for entry in self.entries)

    @property
    def reasons(self) -> list[str]:
        """What it changes, as said of each target; what is said of several is there once."""
        said: dict[str, list[str]] = {}
        for entry in self.entries:
            said.setdefault(entry.why, []).append(entry.target)
        return [why if len(said) == 1 else f"{', '.join(targets)}: {why}" for why, targets in said.items()]


@dataclass(frozen=True)
class Phase:
    """A part of the runbook, by the name that `until` has for it."""

    name: str
    gate: str
    """The gate that waits for approval before it; empty where none does."""
    actions: tuple[Action, ...]
    checks: tuple[str, ...]
    """What is checked and changes nothing."""
    expected: str
    """How long an earlier run took for it, in words."""


@dataclass(frozen=True)
class Plan:
    """All that one page says."""

    report: Report
    hash: str
    verdict: str
    phases: tuple[Phase, ...]
    memberships: tuple[Membership, ...]
    expected: Expected

    @property
    def lasting(self) -> list[tuple[str, Action]]:
        """What can't be undone, in order, with its phase; the first one is the point of no return."""
        return [(phase.name, action) for phase in self.phases for action in phase.actions if action.lasting]

    @property
    def acts(self) -> bool:
        """Whether anything would be changed at all."""
        return any(phase.actions for phase in self.phases)

    @property
    def open(self) -> list[Finding]:
        """What somebody has to look at."""
        return [finding for finding in self.report.findings if not finding.accepted and finding.level is not Level.NOTE]

    @property
    def notes(self) -> list[Finding]:
        return [finding for finding in self.report.findings if not finding.accepted and finding.level is Level.NOTE]

    @property
    def accepted(self) -> list[Finding]:
        return [finding for finding in self.report.findings if finding.accepted]

    @property
    def diffs(self) -> list[tuple[str, Entry, str]]:
        """Every file that would be written, with its step."""
        actions = [action for phase in self.phases for action in phase.actions]
        return [(a.step, entry, diff) for a in actions for entry in a.entries for diff in entry.diffs if diff]

    @property
    def sources(self) -> list[str]:
        return [machine["name"] for machine in self.report.setting.get("sources", ())]


def is_lasting(undo: str) -> bool:
    """Whether a step with this `Undo:` line can't be undone, and that matters."""
    return undo.startswith(NO_UNDO) and not undo.startswith(NEEDS_NONE)


def plan_of(report: Report, expected: Expected) -> Plan:
    """The plan that a dry run's report holds."""
    entries = _ranked(report)
    names = dict.fromkeys(entry.phase for entry in entries)
    phases = tuple(_phase(name, report, [e for e in entries if e.phase == name], expected) for name in names)
    return Plan(report, plan_hash(report), _verdict(report), phases, tuple(_memberships(report, entries)), expected)


def plan_hash(report: Report) -> str:
    """Of all that would be done, to what, with which content, by which config: equal for two dry runs of the same world.

    What steps say in words is not in it: it may name what comes and goes by itself, such as containers.
    """
    actions = sorted((e.phase, e.step, e.target, *e.diffs) for e in report.entries if e.outcome == PLANNED)
    whole = json.dumps([report.flow, report.platform, report.part, report.setting, actions], sort_keys=True)
    return hashlib.sha256(whole.encode()).hexdigest()[:16]


def _ranked(report: Report) -> list[Entry]:
    """Entries by phase, step and machine, each in the runbook's order, whichever began first."""
    hosts = [machine["name"] for kind in ("sources", "targets") for machine in report.setting.get(kind, ())]
    phases = _first_numbers(report.entries, lambda entry: (entry.phase,))
    steps = _first_numbers(report.entries, lambda entry: (entry.phase, entry.step))

    def rank(entry: Entry) -> tuple[int, int, int, str]:
        known = hosts.index(entry.target) if entry.target in hosts else len(hosts)
        return phases[(entry.phase,)], steps[(entry.phase, entry.step)], known, entry.target

    return sorted(report.entries, key=rank)


def _first_numbers(entries: list[Entry], key: Key) -> dict[tuple[str, ...], int]:
    found: dict[tuple[str, ...], int] = {}
    for entry in entries:
        found[key(entry)] = min(entry.number, found.get(key(entry), entry.number))
    return found


def _phase(name: str, report: Report, entries: list[Entry], expected: Expected) -> Phase:
    acting = [entry for entry in entries if entry.outcome == PLANNED and entry.undo]
    actions = tuple(Action(step, group[0].undo, tuple(group)) for step, group in _by_step(acting))
    checks = tuple(dict.fromkeys(entry.step for entry in entries if not entry.undo))
    gates = [gate for gate in report.setting.get("gates", ()) if GATED[gate] == name]
    took = expected.seconds.get(name)
    words = "unknown" if took is None else f"about {lasting(took)}"
    return Phase(name, "".join(gates), actions, checks, words if actions or checks else NOTHING)


def _by_step(entries: list[Entry]) -> list[tuple[str, list[Entry]]]:
    return [(step, list(group)) for step, group in groupby(entries, key=lambda entry: entry.step)]


def _verdict(report: Report) -> str:
    if report.outcome != PLANNED:
        refused = sum(finding.refuses for finding in report.findings)
        return f"refused, by {refused} of the findings" if refused else f"no plan: {report.error or report.outcome}"
    acting = [entry for entry in report.entries if entry.outcome == PLANNED and entry.undo]
    if not acting:
        return "nothing is left to change"
    machines = {machine["name"] for kind in ("sources", "targets") for machine in report.setting.get(kind, ())}
    return f"{len(acting)} changes, on {len(machines.intersection(entry.target for entry in acting))} hosts and the platform"


def _memberships(report: Report, entries: list[Entry]) -> list[Membership]:
    planned = [entry for entry in entries if entry.outcome == PLANNED]
    joining = [entry.target for entry in planned if entry.step == ensure_voter.name]
    leaving = [entry.target for entry in planned if entry.step == ensure_not_member.name]
    voters = report.before.get("voters")
    return memberships(voters, joining, leaving) if voters else []
