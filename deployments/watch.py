"""A run in a terminal, live, from any machine: what Prefect's API says of it, drawn anew every two seconds."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from uuid import UUID

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markdown import Markdown
from rich.table import Table
from rich.text import Text

from deployments.runs import ApiError, Look, api, look, shown
from tasks.report.history import lasting

PACE_S = 2.0
MOST_NOW = 8  # preflight asks all hosts everything at once
STALE_S = 60.0  # a step that is silent for long is published all the same: every three seconds
STEPS = {
    "changed": ("+", "green"),
    "unchanged": ("·", "dim"),
    "planned": ("~", "cyan"),
    "running": ("▶", "yellow"),
    "failed": ("!", "bold red"),
}
LEGEND = "  ".join(f"{sign} {outcome}" for outcome, (sign, _) in STEPS.items())


def follow(run_id: UUID, console: Console, pace_s: float = PACE_S) -> bool:
    """Show the run until it is over; whether it ended well. Ctrl-C ends the watching only."""
    seen = None
    if console.is_terminal:
        with Live(console=console, auto_refresh=False) as live:
            for seen in looks(run_id, pace_s):
                live.update(frame(seen, time.time()), refresh=True)
    else:
        printed: set[str] = set()  # where nothing can be drawn anew, for example in a log: a line for every change
        for seen in looks(run_id, pace_s):
            for line in (headline(seen, time.time()), *seen.warnings):
                if line not in printed:
                    printed.add(line)
                    console.print(line, markup=False, highlight=False, soft_wrap=True)
    console.print(verdict(seen) if seen else "nothing was seen", markup=False, highlight=False, soft_wrap=True)
    return bool(seen and seen.run.state and seen.run.state.is_completed())


def looks(run_id: UUID, pace_s: float) -> Iterator[Look]:
    """One look after another, up to the one at its end. While the server does not answer, the last one, which says so."""
    with api() as client:
        seen = look(client, run_id)
    yield seen
    while not seen.over:
        time.sleep(pace_s)
        try:
            with api() as client:
                seen = look(client, run_id)
        except ApiError as error:
            seen = replace(seen, silent=str(error))
        yield seen


def frame(seen: Look, now: float) -> RenderableType:
    """One picture: the headline, hosts by steps, what runs and waits now, the last warnings."""
    progress = seen.progress
    parts: list[RenderableType] = [Text(headline(seen, now), style="bold")]
    if progress is not None:
        longest = sorted(progress.now, key=lambda one: -one.seconds)
        more = [Text(f"▶ and {len(longest) - MOST_NOW} more")] if len(longest) > MOST_NOW else []
        parts += [_hosts(progress.hosts), Text(LEGEND, style="dim"), *(Text(f"▶ {one}") for one in longest[:MOST_NOW]), *more]
    parts += [Text(f"! {warning}", style="yellow") for warning in seen.warnings]
    return Group(*parts)


def headline(seen: Look, now: float) -> str:
    """The run's name and state, how far it is, and what somebody has to do."""
    progress = seen.progress
    if seen.silent:
        return f"{seen.run.name}: {seen.silent}"
    words = [f"{seen.run.name}: {seen.state}"]
    if progress is not None and not seen.over:
        words.append(progress.headline)
    if seen.paused:
        words.append("it waits for approval: evenkeel approve")
    elif seen.run.state is not None and seen.run.state.is_scheduled():
        words.append("it waits for a worker: systemctl status evenkeel-worker")
    elif progress is not None and not seen.over and now - progress.at > STALE_S:
        words.append(f"no news for {lasting(now - progress.at)}: is its process gone? systemctl status evenkeel-worker")
    return "; ".join(words)


def verdict(seen: Look) -> str:
    """How it ended, in its own words."""
    message = (seen.run.state.message if seen.run.state else None) or ""
    return f"{seen.run.name}: {seen.state}" + (f": {message}" if message and seen.state != "Completed" else "")


def show(run_id: UUID, kind: str, console: Console) -> bool:
    """Print what the run has shown of this kind; whether there is any. A terminal gets its text set, a file as it is."""
    with api() as client:
        found = shown(client, run_id, kind)
    if found is None:
        return False
    if console.is_terminal:
        console.print(Markdown(str(found.data)))
    else:
        console.print(str(found.data), markup=False, highlight=False, soft_wrap=True)
    console.print(found.description or "", markup=False, highlight=False, soft_wrap=True)
    return True


def _hosts(hosts: dict[str, dict[str, str]]) -> Table:
    """A row per host, a sign per step; workloads are many, so those that are done are left out."""
    table = Table(box=None, padding=(0, 1), show_header=False)
    for host, steps in hosts.items():
        if len(steps) == 1 and not {"running", "failed"}.intersection(steps.values()):
            continue
        signs = Text()
        for outcome in steps.values():
            signs.append(*STEPS.get(outcome, ("?", "")))
        table.add_row(host, signs, list(steps)[-1])
    return table
