"""A run as one file that needs no network, and all runs as an index. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from configs.rendering import rendered
from tasks.engine.finding import ranked
from tasks.engine.journal import Entry, Report
from tasks.report.chart import timeline
from tasks.report.history import lasting, seconds_by_phase
from tasks.report.interruption import epoch

GOOD = ("verified", "planned", "passed", "stopped")
WORKLOADS = "workloads"


@dataclass(frozen=True)
class Line:
    """An entry, and its place on the page."""

    id: str
    entry: Entry

    @property
    def commands(self) -> list[tuple[str, int]]:
        """What it asked of hosts, and how often."""
        return list(Counter(self.entry.commands).items())


def page(report: Report) -> str:
    """The whole report: the verdict, what moved, the timeline, the rest of the evidence, and every step with its commands."""
    hosts = by_host(report)
    numbers = {id(entry): f"step-{number}" for number, entry in enumerate(report.entries)}
    lines = [(host, [Line(numbers[id(entry)], entry) for entry in entries]) for host, entries in hosts]
    found = ranked(report.findings)
    return rendered(
        "report.html.j2",
        report=report,
        good=report.outcome in GOOD,
        took=duration(report),
        moved=list(moved(report)),
        images=images(report),
        chart=timeline(report, hosts, numbers),
        open=[finding for finding in found if not finding.accepted],
        accepted=[finding for finding in found if finding.accepted],
        troubled=[line for _, host in lines for line in host if line.entry.retries or line.entry.outcome in ("failed", "running")],
        hosts=lines,
        phases=seconds_by_phase(report),
        lasting=lasting,
    )


def index(reports: Iterable[tuple[str, Report]]) -> str:
    """All runs, newest first, each with the link to its page: how it ended, and how long its phases took."""
    runs = list(reports)
    seconds = {link: seconds_by_phase(report) for link, report in runs}
    phases = list(dict.fromkeys(phase for link, _ in runs for phase in seconds[link]))
    longest = {phase: max(took.get(phase, 0.0) for took in seconds.values()) for phase in phases}
    return rendered(
        "index.html.j2", runs=runs, phases=phases, seconds=seconds, longest=longest, good=GOOD, duration=duration, lasting=lasting
    )


def by_host(report: Report) -> list[tuple[str, list[Entry]]]:
    """Entries by machine, in the config's order; then those of the platform, then those of all workloads together."""
    machines = [machine["name"] for kind in ("sources", "targets") for machine in report.setting.get(kind, ())]
    if not machines:  # a report of before machines were in it
        return [(name, _of(report, [name])) for name in sorted({entry.target for entry in report.entries})]
    named = [(name, _of(report, [name])) for name in (*machines, report.platform)]
    others = [entry for entry in report.entries if entry.target not in (*machines, report.platform)]
    return [(name, entries) for name, entries in (*named, (WORKLOADS, others)) if entries]


def _of(report: Report, targets: list[str]) -> list[Entry]:
    return [entry for entry in report.entries if entry.target in targets]


def moved(report: Report) -> Iterator[tuple[str, str, str]]:
    """What is elsewhere now: what, before, after."""
    for fact, what in (("voters", "etcd's voters"), ("nodes", "nodes")):
        before, after = (", ".join(facts.get(fact, ())) for facts in (report.before, report.after))
        if before or after:
            yield what, before or "not asked", after or "not asked"
    for entry in report.entries:
        if entry.outcome == "changed" and entry.step in ("hand over VIP", "drain"):
            yield f"{entry.step}, {entry.target}", "", entry.why


def images(report: Report) -> list[tuple[str, str, str]]:
    """Each container's image before and after, where both were asked for: those that differ first."""
    before, after = (_flat(facts.get("images", {})) for facts in (report.before, report.after))
    if not before or not after:
        return []
    rows = [(one, before.get(one, "-"), after.get(one, "-")) for one in sorted({*before, *after})]
    return sorted(rows, key=lambda row: row[1] == row[2])


def _flat(workloads: dict[str, dict[str, Any]]) -> dict[str, str]:
    return {f"{workload}: {name}": str(image) for workload, containers in workloads.items() for name, image in containers.items()}


def duration(report: Report) -> str:
    """How long the run took, in words."""
    return lasting(epoch(report.ended) - epoch(report.begun)) if report.ended else "not known"
