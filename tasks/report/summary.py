"""A report as Markdown, for a terminal and for Prefect's UI. Pure."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from tasks.engine.finding import Finding, Level
from tasks.engine.journal import Entry, Report

HEAD = "| step | targets | outcome | seconds | retries | SSH round trips |\n|---|---|---|---:|---:|---:|\n"
GAPS = 3  # of a series, in the table
LEVELS = {Level.REFUSE: "refused", Level.WARN: "warning", Level.NOTE: "note"}
CLIENTS = (
    "\n| clients | samples | failures | longest gap, s | allowed, s | gaps of 0.5 s and more |\n|---|---:|---:|---:|---:|---|\n"
)


def markdown(report: Report) -> str:
    """The whole report: what was found, then what was done by step, or, for a plan, what would be done by target."""
    title = f"# {report.flow} {report.platform}: {report.outcome}\n\n"
    facts = f"run `{report.run}`, record `{report.record or '-'}`, {report.begun} to {report.ended or 'now'}\n\n"
    found = set(map(str, report.findings))
    error = "\n".join(line for line in report.error.splitlines() if line not in found)  # refusals are among the findings
    error = f"**{error}**\n\n" if error else ""
    body = plan(report) if report.plans else HEAD + "".join(_row(step, entries) for step, entries in by_step(report))
    part = f"**{report.part}**\n\n" if report.part else ""
    return title + facts + part + error + findings(report) + body + clients(report)


def findings(report: Report) -> str:
    """What checks and steps found, by level: refusals, warnings, notes, and last what the operator has accepted."""
    if not report.findings:
        return ""
    lines = [f"- {_level(finding)}: {finding}\n" for finding in report.findings]
    return "## Findings\n\n" + "".join(lines) + "\n"


def clients(report: Report) -> str:
    """What clients noticed, and during what."""
    if not report.interruptions:
        return ""
    rows = [
        f"| {one['series']} | {one['samples']} | {one['failures']} | {one['longest_gap_s']} | {one['budget_s'] or '-'} "
        f"| {_gaps(one['gaps'])} |\n"
        for one in report.interruptions
    ]
    return CLIENTS + "".join(rows)


def plan(report: Report) -> str:
    """What a dry run would do, by target, with a diff of every file."""
    lines = []
    for target in dict.fromkeys(entry.target for entry in report.entries):
        lines.append(f"\n## {target}\n")
        for entry in (entry for entry in report.entries if entry.target == target):
            lines.append(f"- {entry.step}: {entry.outcome}: {entry.why}")
            lines.extend(f"\n```diff\n{diff}\n```\n" for diff in entry.diffs if diff)
    return "\n".join(lines) + "\n"


def by_step(report: Report) -> list[tuple[str, list[Entry]]]:
    """Entries by step, steps in the order in which they first began."""
    order = {step: rank for rank, step in enumerate(dict.fromkeys(entry.step for entry in report.entries))}
    ranked = sorted(report.entries, key=lambda entry: order[entry.step])
    return [(step, list(entries)) for step, entries in groupby(ranked, key=lambda entry: entry.step)]


def _level(finding: Finding) -> str:
    return "accepted" if finding.accepted else LEVELS[finding.level]


def _gaps(gaps: list[dict[str, Any]]) -> str:
    """The longest ones; all of them are in report.json and in the chart."""
    longest = sorted(gaps, key=lambda gap: -gap["seconds"])[:GAPS]
    more = [f"{len(gaps) - GAPS} shorter ones"] if len(gaps) > GAPS else []
    return "; ".join([*map(_gap, longest), *more]) or "-"


def _gap(gap: dict[str, Any]) -> str:
    targets: dict[str, list[str]] = {}
    for one in gap["during"]:
        step, _, target = one.rpartition(" on ")
        targets.setdefault(step, []).append(target)
    during = ", ".join(f"{step} on {' '.join(names)}" for step, names in targets.items())
    return f"{gap['seconds']} s: {during or 'no step of ours'}"


def _row(step: str, entries: list[Entry]) -> str:
    outcomes = ", ".join(dict.fromkeys(entry.outcome for entry in entries))
    targets = ", ".join(entry.target for entry in entries)
    longest = max(entry.seconds for entry in entries)
    retries, trips = sum(e.retries for e in entries), sum(e.ssh_round_trips for e in entries)
    return f"| {step} | {targets} | {outcomes} | {longest:.1f} | {retries} | {trips} |\n"
