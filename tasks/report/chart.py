"""A run as a chart: its steps as bars over time, and below them what clients noticed. Pure; the result is SVG."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from configs.rendering import rendered
from tasks.engine.journal import Entry, Report
from tasks.report.interruption import NOTABLE_S, Series, during_of, epoch
from tasks.report.summary import by_step

WIDTH, LEFT, TOP, ROW = 1400, 260, 30, 18
COLOURS = {"changed": "#2a6fbb", "unchanged": "#b9c4cf", "failed": "#c0392b", "running": "#e0a030"}
ANSWERED, SILENT = "#7fb77e", "#c0392b"
TICKS = (5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600)
MOST_TICKS = 20
LABELLED_S = 1.0  # shorter gaps are only marked: their labels would overlap


@dataclass(frozen=True)
class Bar:
    """An interval on a row."""

    x: float
    width: float
    colour: str
    title: str
    label: str = ""


@dataclass(frozen=True)
class Row:
    """A row of the chart."""

    y: int
    label: str
    bars: list[Bar]


@dataclass(frozen=True)
class Scale:
    """Seconds since the epoch to pixels."""

    begun: float
    ended: float

    def x(self, at: float) -> float:
        return round(LEFT + (WIDTH - LEFT - 60) * (at - self.begun) / max(self.ended - self.begun, 0.1), 1)

    def bar(self, begun: float, ended: float, colour: str, title: str, label: str = "") -> Bar:
        return Bar(self.x(begun), max(self.x(ended) - self.x(begun), 1.0), colour, title, label)


def chart(report: Report, series: Iterable[Series]) -> str:
    """The whole chart. What a bar or a gap means is in its tooltip."""
    begun = epoch(report.begun)
    ends = [epoch(entry.ended) for entry in report.entries if entry.ended]
    scale = Scale(begun, max([*ends, *(one.answered or begun for one in series), begun]))
    labels = [(step, [_step_bar(scale, entry) for entry in entries]) for step, entries in by_step(report)]
    labels += [(f"clients: {one.name}", _client_bars(scale, one, report.entries)) for one in series]
    rows = [Row(TOP + ROW * number, label, bars) for number, (label, bars) in enumerate(labels)]
    return rendered(
        "clients.svg.j2",
        title=f"{report.flow} {report.platform}, run {report.run}: steps, and what clients noticed",
        width=WIDTH,
        height=TOP + ROW * len(rows) + 30,
        left=LEFT,
        top=TOP,
        rows=rows,
        ticks=_ticks(scale),
    )


def _step_bar(scale: Scale, entry: Entry) -> Bar:
    begun = epoch(entry.begun)
    ended = epoch(entry.ended) if entry.ended else scale.ended
    title = f"{entry.step} on {entry.target}: {entry.outcome}, {ended - begun:.1f} s"
    return scale.bar(begun, ended, COLOURS.get(entry.outcome, "#888"), title)


def _client_bars(scale: Scale, one: Series, entries: list[Entry]) -> list[Bar]:
    """Green from the first sample to the last, red where nobody answered."""
    if one.begun is None or one.answered is None:
        return []
    whole = scale.bar(one.begun, one.answered, ANSWERED, f"{one.samples} samples, {one.failures} failed")
    silent = [
        scale.bar(
            gap.begun,
            gap.ended,
            SILENT,
            f"no answer for {gap.seconds:.2f} s during {', '.join(during_of(gap, entries)) or 'no step of ours'}",
            f"{gap.seconds:.1f} s" if gap.seconds >= LABELLED_S else "",
        )
        for gap in one.gaps
        if gap.seconds >= NOTABLE_S
    ]
    return [whole, *silent]


def _ticks(scale: Scale) -> list[dict[str, float | str]]:
    seconds = scale.ended - scale.begun
    pace = next((pace for pace in TICKS if seconds / pace <= MOST_TICKS), TICKS[-1])
    return [{"x": scale.x(scale.begun + at), "label": f"{at} s"} for at in range(0, int(seconds) + 1, pace)]
