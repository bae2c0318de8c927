"""What a check or a step has found: a judgement with a stable id, a place, what it means, and what to type."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum

from configs.base import Accepted
from configs.errors import EvenkeelError


class Level(StrEnum):
    """How bad it is, worst first. A refusal stops the run before its next change."""

    REFUSE = "refuse"
    WARN = "warn"
    NOTE = "note"


@dataclass(frozen=True)
class Finding:
    """One judgement. `what` says what was found and what was expected, `remedy` what to type; neither holds a secret."""

    id: str
    level: Level
    where: str
    what: str
    remedy: str = ""
    final: bool = False
    """A refusal that no configuration can accept: going on would do harm for certain."""
    accepted: str = ""
    """The operator's reason, where the configuration accepts it."""

    @property
    def refuses(self) -> bool:
        return self.level is Level.REFUSE and not self.accepted

    def __str__(self) -> str:
        text = ": ".join(filter(None, (self.where, self.what, self.remedy)))
        return f"{text} [{self.id}]" + (f" (accepted: {self.accepted})" if self.accepted else "")


@dataclass(frozen=True)
class Checked:
    """A check's answer: what holds, in a sentence, and what was found."""

    why: str
    findings: tuple[Finding, ...] = ()


@dataclass
class Findings:
    """Collects what one check finds at one place."""

    where: str
    found: list[Finding] = field(default_factory=list)

    def refuse(self, id: str, what: str, remedy: str, *, where: str = "", final: bool = False) -> None:
        """The run must not go on, unless it is accepted; `final` ones can't be."""
        self.found.append(Finding(id, Level.REFUSE, where or self.where, what, remedy, final))

    def warn(self, id: str, what: str, remedy: str = "", *, where: str = "") -> None:
        """The run may go on; somebody should look."""
        self.found.append(Finding(id, Level.WARN, where or self.where, what, remedy))

    def note(self, id: str, what: str, remedy: str = "", *, where: str = "") -> None:
        """Worth knowing, nothing to do now."""
        self.found.append(Finding(id, Level.NOTE, where or self.where, what, remedy))

    def checked(self, why: str) -> Checked:
        return Checked(why, tuple(self.found))


class FindingsError(EvenkeelError):
    """A check has refused. Every line is a finding with its own id; the others that it made are kept beside."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__("\n".join(str(finding) for finding in self.findings if finding.refuses))


def note(id: str, where: str, what: str, remedy: str = "") -> Finding:
    """A finding of a step, which has no collector."""
    return Finding(id, Level.NOTE, where, what, remedy)


def warning(id: str, where: str, what: str, remedy: str = "") -> Finding:
    """A finding of a step that somebody should look at."""
    return Finding(id, Level.WARN, where, what, remedy)


def judged(finding: Finding, accepted: Collection[Accepted]) -> Finding:
    """The finding, with the operator's reason where one accepts it. A final refusal stays one, and says so."""
    reason = next((one.reason for one in accepted if (one.id, one.where) == (finding.id, finding.where)), "")
    if reason and finding.final:
        return replace(finding, remedy=f"{finding.remedy}; the configuration accepts it, but it can't be accepted")
    return replace(finding, accepted=reason)


def ranked(findings: Iterable[Finding]) -> list[Finding]:
    """Refusals first, then warnings, notes, and what is accepted; within these by place, whatever check ended first. Each once."""
    order = list(Level)
    return sorted(dict.fromkeys(findings), key=lambda one: (bool(one.accepted), order.index(one.level), one.where))
