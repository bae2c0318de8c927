"""The part of a migration that an operator asks for: until one of its parts is done, or only the work on some targets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from blocks.errors import RefusedError
from configs.errors import ConfigError
from configs.hosts import Target
from configs.platform import Platform
from flows.session import Session
from tasks.etcd.members import voting

Until = Literal["preflight", "backup", "canary", "join", "drain", "keepalived", "retire"]
"""The parts in their order; a run ends well after the one that it is given."""
ORDER: tuple[Until, ...] = get_args(Until)
BEFORE_DRAINS = ORDER[: ORDER.index("drain")]


@dataclass(frozen=True)
class Part:
    """What a run is restricted to; nothing is left out where neither is given."""

    until: Until | None = None
    only: tuple[str, ...] = ()
    """Names of the targets that are worked on; the run ends before the drains then."""

    @property
    def words(self) -> str:
        """For the plan and the report; empty when the run is whole."""
        if self.until is None and not self.only:
            return ""
        work = f"works only on {', '.join(self.only)} of the targets, and " if self.only else ""
        end = f"after {self.until}" if self.until else "before the drains"
        left_out = " and ".join(name for name, given in (("until", self.until), ("only", self.only)) if given)
        return f"{work}ends {end}, as asked; the same command without {left_out} goes on"

    def ends_by(self, part: Until) -> bool:
        """Whether nothing after this part is asked for."""
        last = self.until or ("join" if self.only else None)
        return last is not None and ORDER.index(last) <= ORDER.index(part)

    def targets(self, platform: Platform) -> tuple[Target, ...]:
        """The targets to work on, in the config's order."""
        return tuple(target for target in platform.targets if not self.only or target.name in self.only)


WHOLE = Part()


def part_of(platform: Platform, until: Until | None, only: str | None) -> Part:
    """What the parameters ask for; `only` is names separated by commas. Raises ConfigError for what this platform has not."""
    names = {name.strip() for name in only.split(",")} if only is not None else set()
    known = [target.name for target in platform.targets]
    if unknown := sorted(names - set(known)):
        raise ConfigError(f"only: {', '.join(map(repr, unknown))}: no target has this name: write one or more of {','.join(known)}")
    if names and until is not None and until not in BEFORE_DRAINS:
        raise ConfigError(f"until: {until}: with only, a run ends before the drains: write one of {', '.join(BEFORE_DRAINS)}")
    if until == "canary" and not (platform.canary and (not names or known[0] in names)):
        raise ConfigError("until: canary: no target goes first, by canary: false in the config or by only: write until=join")
    return Part(until, tuple(name for name in known if name in names))


def refuse_before_canary(session: Session, part: Part) -> None:
    """Raise RefusedError when other targets are asked for while the canary is not a machine of the live platform."""
    canary = session.platform.targets[0]
    if not part.only or not session.platform.canary or canary.name in part.only:
        return
    votes = canary.name in voting(session.platform, session.etcd)
    if not (votes if canary.etcd else any(node.name == canary.name for node in session.kube.nodes())):
        raise RefusedError(
            f"{canary.name}: the first target is the canary and goes before {', '.join(part.only)}: run with only={canary.name} "
            "first, or name it, too",
            id="only-before-canary",
        )
