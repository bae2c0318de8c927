"""A run as a chart: its steps as bars over time, and below them what clients noticed. Pure; the result is SVG."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from configs.rendering import rendered
from tasks.engine.journal import Entry, Report
from tasks.report.interruption import NOTABLE_S, Series, during_of, epoch
from tasks.report.summary import by_step

WIDTH, LEFT, TOP, ROW = 1400, 260, 30, 18
LABEL = 40  # a label with its margin
COLOURS = {"changed": "#2a6fbb", "unchanged": "#b9c4cf", "planned": "#7d5fb2", "failed": "#c0392b", "running": "#e0a030"}
ANSWERED, SILENT = "#7fb77e", "#c0392b"
TICKS = (5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600)
MOST_TICKS = 20
LABELLED_S = 1.0  # shorter gaps are only marked: their labels would cover them


@dataclass(frozen=True)
class Bar:
    """An interval on a row."""

    x: float
    width: float
    colour: str
    title: str
    label: str = ""
    link: str = ""
    """Of the element of the page that says more: a finger finds no tooltip."""


@dataclass(frozen=True)
class Row:
    """A row of the chart."""

    y: int
    label: str
    bars: list[Bar]

    @property
    def labelled(self) -> list[Bar]:
        """The bars whose labels are drawn, over all bars: where two would overlap, the wider bar's is."""
        drawn: list[Bar] = []
        for bar in sorted(filter(lambda bar: bar.label, self.bars), key=lambda bar: -bar.width):
            if all(abs(bar.x + bar.width - other.x - other.width) >= LABEL for other in drawn):
                drawn.append(bar)
        return drawn


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
    return _drawn(f"{report.flow} {report.platform}, run {report.run}: steps, and what clients noticed", scale, labels)


def timeline(report: Report, hosts: list[tuple[str, list[Entry]]], links: Mapping[int, str]) -> str:
    """The run by host, steps side by side on rows of their own, and below them the gaps that clients noticed.

    `links` are elements of the page that say more of an entry, by its id().
    """
    begun = epoch(report.begun)
    scale = Scale(begun, max([begun, *(epoch(entry.ended) for entry in report.entries if entry.ended)]))
    rows = []
    for host, entries in hosts:
        for number, lane in enumerate(_lanes(entries)):
            bars = [replace(_step_bar(scale, entry), link=links.get(id(entry), "")) for entry in lane]
            rows.append((host if number == 0 else "", bars))
    rows += [(f"clients: {one['series']}", _noticed(scale, one)) for one in report.interruptions]
    return _drawn("", scale, rows)


def _lanes(entries: list[Entry]) -> list[list[Entry]]:
    """As few rows as no two entries overlap on."""
    lanes: list[list[Entry]] = []
    for entry in sorted(entries, key=lambda entry: entry.begun):
        free = (lane for lane in lanes if lane[-1].ended is not None and lane[-1].ended <= entry.begun)
        lane = next(free, None)
        if lane is None:
            lanes.append([entry])
        else:
            lane.append(entry)
    return lanes


def _noticed(scale: Scale, one: dict[str, Any]) -> list[Bar]:
    """The gaps of one series, as the report has them."""
    return [_gap_bar(scale, epoch(gap["begun"]), gap["seconds"], gap["during"]) for gap in one["gaps"]]


def _gap_bar(scale: Scale, begun: float, seconds: float, during: list[str]) -> Bar:
    title = f"no answer for {seconds:.2f} s during {', '.join(during) or 'no step of ours'}"
    return scale.bar(begun, begun + seconds, SILENT, title, f"{seconds:.1f} s" if seconds >= LABELLED_S else "")


def _drawn(title: str, scale: Scale, labels: list[tuple[str, list[Bar]]]) -> str:
    rows = [Row(TOP + ROW * number, label, bars) for number, (label, bars) in enumerate(labels)]
    return rendered(
        "clients.svg.j2",
        title=title,
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
    silent = [_gap_bar(scale, gap.begun, gap.seconds, during_of(gap, entries)) for gap in one.gaps if gap.seconds >= NOTABLE_S]
    return [whole, *silent]


def _ticks(scale: Scale) -> list[dict[str, float | str]]:
    seconds = scale.ended - scale.begun
    pace = next((pace for pace in TICKS if seconds / pace <= MOST_TICKS), TICKS[-1])
    return [{"x": scale.x(scale.begun + at), "label": f"{at} s"} for at in range(0, int(seconds) + 1, pace)]
