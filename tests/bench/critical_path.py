"""The chain of steps that a run could not have been faster than, and what it spent beyond it. Pure.

The journal has when each entry began and ended; it has not what an entry waited for. That is derived here, from the order that
flows/*.py gives: an entry waited for all that `awaited` names, and of these really for the one that ended last. From the run's
last entry back to one that waited for nothing, these are the critical path.

- Its length is the sum of its entries' durations, as they were: on a busy machine each is longer than it would be by itself.
- A gap is the time from the end of one of its entries to the begin of the next: the orchestrator at work, a worker thread that was
  not free, the opening of a gate, what a flow asks between steps. The journal does not say which of them.
- What is awaited inside a step (a node that becomes Ready, a leader's election) is that step's duration, also where something
  else that runs at the same time is the cause.
- It holds for a whole `migrate` that nothing has killed or stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from tasks.engine.journal import Entry, Report

PHASES = ("preflight", "backup", "canary", "join", "drain", "keepalived", "retire", "verify")
JOINING = ("canary", "join")
OPEN, ROUTES, GONE, HOSTS = "open firewall", "check routes", "uninstall old k3s", "write /etc/hosts"
LOADED, VOTES, LABELLED, STANDBY = "load images", "join etcd", "label node", "set up keepalived"
HANDED = "hand over VIP"
OF_ETCD = ("move etcd leader", "remove etcd member", "retire etcd data")

OWN: dict[str, tuple[str, ...]] = {
    "set hostname": (GONE,),
    "stage etcd certificates": (GONE,),
    "stage k3s files": (GONE,),
    HOSTS: ("set hostname", "stage etcd certificates"),
    LOADED: ("stage k3s files",),
    VOTES: (HOSTS,),
    "carry k3s files": (HOSTS, LOADED),
    "join k3s": ("carry k3s files",),
    LABELLED: ("join k3s",),
    STANDBY: (LABELLED,),
}
"""While targets join: the steps on the same target that a step is submitted after."""
ANY: dict[str, tuple[str, ...]] = {
    VOTES: (VOTES,),
    STANDBY: (STANDBY,),
    "check pod network": (LABELLED,),
}
"""While targets join: the steps on all targets that a step waits for, as far as they began before it."""
BESIDE: tuple[tuple[str, ...], ...] = (
    ("remove rogue server",),
    ("record old images",),
    ("surge",),
    ("end surge",),
    ("check nothing names source", "verify lake"),
    ("stop k3s on source",),
    ("delete node", *OF_ETCD),
    (
        "verify etcd", "verify nodes", "verify VIP", "verify workloads", "verify services", "verify database",
        "verify no residue", "verify lake",
    ),
)  # fmt: skip
"""Otherwise a step waits for all that stand before it in the runbook, but not for those that run side by side with it."""


@dataclass(frozen=True)
class Link:
    """An entry of the path, and how long it had waited since the one before it, or since the run's begin, had ended."""

    entry: Entry
    gap: float
    after: str
    """Of the entry before it; empty for the first one."""

    @property
    def name(self) -> str:
        return name_of(self.entry)


@dataclass(frozen=True)
class Path:
    """The links in their order; all of it together, with `rest` behind the last link, is the run's duration."""

    links: tuple[Link, ...]
    rest: float

    @property
    def seconds(self) -> float:
        """The path's length."""
        return sum(link.entry.seconds for link in self.links)

    @property
    def beyond(self) -> float:
        """What the run took beyond it."""
        return sum(link.gap for link in self.links) + self.rest

    @property
    def gaps(self) -> dict[tuple[str, str], float]:
        """By pair of entries, in the path's order; before the first and behind the last there is none, so the pair has a blank."""
        between = {(link.after, link.name): link.gap for link in self.links}
        return {**between, (self.links[-1].name, ""): self.rest} if self.links else between


def name_of(entry: Entry) -> str:
    """A step and where."""
    return f"{entry.step} on {entry.target}"


def critical_path(report: Report) -> Path:
    """The critical path of a run that has ended. Raises ValueError for one that has not."""
    if report.ended is None or any(entry.ended is None for entry in report.entries):
        raise ValueError(f"run {report.run} has not ended: it has no critical path")
    links: list[Link] = []
    entry = max(report.entries, key=_end, default=None)
    rest = _at(report.ended) - (_end(entry) if entry else _at(report.begun))
    while entry is not None:
        waited = max((one for one in awaited(entry, report) if _end(one) <= _at(entry.begun)), key=_end, default=None)
        since = _end(waited) if waited else _at(report.begun)
        links.append(Link(entry, _at(entry.begun) - since, name_of(waited) if waited else ""))
        entry = waited
    return Path(tuple(reversed(links)), rest)


def awaited(entry: Entry, report: Report) -> list[Entry]:
    """All entries that the flow made this one wait for, as far as the report has them."""
    joining = entry.phase in JOINING and entry.step in (OPEN, ROUTES, GONE, *OWN, *ANY)
    return list((_while_joining if joining else _in_order)(entry, report))


def _in_order(entry: Entry, report: Report) -> Iterator[Entry]:
    """All that stand before it in the runbook."""
    for one in report.entries:
        if one.number < entry.number and not (one.phase == entry.phase and _is_beside(one, entry)):
            yield one


def _is_beside(one: Entry, entry: Entry) -> bool:
    if one.step in OF_ETCD and entry.step in OF_ETCD:  # one after the other, though beside the nodes that are deleted
        return False
    if one.step == entry.step == HANDED:  # standbys go side by side, the holder after them; who is who only the times show
        return _end(one) > _at(entry.begun)
    return entry.phase == "preflight" or any(one.step in group and entry.step in group for group in BESIDE)


def _while_joining(entry: Entry, report: Report) -> Iterator[Entry]:
    begun = [one for one in report.entries if one.phase in JOINING and one.number < entry.number]
    opened = max((one for one in begun if one.step == OPEN), key=lambda one: one.number, default=None)
    if entry.step == ROUTES:
        found = [opened] if opened else []
    elif entry.step == GONE:  # the routes that are tried once its firewall is open stand between the two
        own = opened if opened and opened.target == entry.target else None
        found = [one for one in begun if own and (one is own or (one.step == ROUTES and one.number > own.number))]
    else:
        found = [one for one in begun if _is_before(one, entry, _servers(report))]
    yield from found or (one for one in report.entries if _is_of_earlier_group(one, entry))


def _is_before(one: Entry, entry: Entry, servers: set[str]) -> bool:
    if one.target == entry.target and one.step in OWN.get(entry.step, ()):
        return True
    # Servers join k3s one after another, once all members vote, all agents have joined and all images are loaded.
    last = (VOTES, LOADED, LABELLED) if entry.step == "carry k3s files" and entry.target in servers else ()
    return one.step in (*ANY.get(entry.step, ()), *last)


def _is_of_earlier_group(one: Entry, entry: Entry) -> bool:
    """What a group of targets waits for: all that came before, but for what runs beside until all have joined."""
    beside = one.phase in JOINING and one.step in (STANDBY, HOSTS)
    return PHASES.index(one.phase) < PHASES.index(entry.phase) and not beside


def _servers(report: Report) -> set[str]:
    return {target["name"] for target in report.setting.get("targets", ()) if target["role"] == "server"}


def by_step(path: Path, seconds: Callable[[Link], float] = lambda link: link.entry.seconds) -> dict[str, float]:
    """The path's seconds by step, in the order in which each came first."""
    total: dict[str, float] = {}
    for link in path.links:
        total[link.entry.step] = total.get(link.entry.step, 0.0) + seconds(link)
    return total


def _at(time: str) -> float:
    return datetime.fromisoformat(time).timestamp()


def _end(entry: Entry) -> float:
    return _at(entry.ended or entry.begun)
