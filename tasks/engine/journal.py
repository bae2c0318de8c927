"""What a run did, while it does it: one entry per step and target, on disk after every change, so that a kill loses none.

A change is one more line in journal.jsonl; the report that people read is written whole when the run ends. Lines are not
synced: what a killed process has written is kept by the machine, and what a run must know after a power cut is in the
platform's etcd (see record.py), of which no journal is the source. The whole report is synced before it takes its name, or
a power cut could leave an empty file in its place.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

from tasks.engine.finding import Finding, FindingsError, Level, ranked
from tasks.engine.outcome import Outcome

PLANNED, RUNNING = "planned", "running"
place: ContextVar[int | None] = ContextVar("place", default=None)
"""The number of the step that is submitted in this context, counted when it is submitted."""
under_way: ContextVar[Entry | None] = ContextVar("under_way", default=None)
"""The entry of the step that runs in this context."""


def now() -> str:
    """The time in UTC, ISO 8601, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


@dataclass
class Entry:
    """One step on one target, all attempts together."""

    step: str
    target: str
    begun: str
    ended: str | None = None
    outcome: str = RUNNING
    why: str = ""
    retries: int = 0
    ssh_round_trips: int = 0
    diffs: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    acted: str | None = None
    """When it began to change the world, by its first attempt; a step that has found nothing to do never does."""
    phase: str = ""
    """The part of the runbook that it belongs to, by the name that `until` has for it."""
    number: int = 0
    """Its place in the runbook: steps side by side begin in any order, and a plan must not depend on that."""
    undo: str = ""
    """How it is undone, as its docstring says; a check has none."""
    commands: tuple[str, ...] = ()
    """Every SSH round trip, as HOST: WHAT. Scripts are in no report: secrets travel in them."""
    awaiting: str = ""
    """What it waits for, and what is lacking by the last answer."""

    @property
    def seconds(self) -> float:
        if self.ended is None:
            return 0.0
        return (datetime.fromisoformat(self.ended) - datetime.fromisoformat(self.begun)).total_seconds()


@dataclass
class Report:
    """A whole run. `outcome` is running, its `success`, failed, or killed, which the next run finds out."""

    platform: str
    run: str
    flow: str
    dry_run: bool
    begun: str = field(default_factory=now)
    ended: str | None = None
    outcome: str = RUNNING
    error: str = ""
    record: str = ""
    """Name of the record below /evenkeel/ that the run belongs to."""
    interruptions: list[dict[str, Any]] = field(default_factory=list)
    """What clients noticed, by series of samples."""
    entries: list[Entry] = field(default_factory=list)
    success: str = ""
    """The outcome if it ends well: verified, planned by a dry run, passed by checks, stopped where it was asked to."""
    part: str = ""
    """Where it stops and what it leaves out, as it was asked to, in words."""
    setting: dict[str, Any] = field(default_factory=dict)
    """The config, as far as reports name it: its identity, machines, gates."""
    before: dict[str, Any] = field(default_factory=dict)
    """The world at the run's begin: etcd's voters, nodes, images by workload and container."""
    after: dict[str, Any] = field(default_factory=dict)
    """The same at its end; empty when it could not be asked."""
    backup: dict[str, Any] = field(default_factory=dict)
    """The backup that the run's record has, with its time, size and checksum."""

    def __post_init__(self) -> None:
        self.success = self.success or (PLANNED if self.dry_run else "verified")

    @property
    def plans(self) -> bool:
        """Whether its entries are what another run would do."""
        return self.dry_run and self.success == PLANNED

    @property
    def findings(self) -> list[Finding]:
        """What all checks and steps have found, worst first."""
        return ranked(finding for entry in self.entries for finding in entry.findings)

    def as_json(self) -> dict[str, Any]:
        whole = asdict(replace(self, entries=[]))
        whole["entries"] = [{**asdict(entry), "seconds": entry.seconds} for entry in self.entries]
        whole["ssh_round_trips"] = sum(entry.ssh_round_trips for entry in self.entries)
        return whole


def read_report(path: Path) -> Report:
    """The report that a journal keeps at `path`, up to its last change, also of a run that is killed or still at work.

    Raises ValueError when the file is no report.
    """
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        if raw["outcome"] == RUNNING:
            _apply(_lines(path), raw)
        entries = [_entry(entry) for entry in raw.pop("entries")]
        return Report(**_known(Report, raw), entries=entries)
    except (KeyError, TypeError, IndexError) as error:
        raise ValueError(f"{path} is not a run's report: {error!r}") from error


def last_change(path: Path) -> float:
    """When the journal of the report at `path` was last written, in seconds since the epoch."""
    return max(file.stat().st_mtime for file in (path, lines_of(path)) if file.exists())


def lines_of(path: Path) -> Path:
    """Where the changes are that are not in the report at `path` yet."""
    return path.with_name("journal.jsonl")


def _lines(path: Path) -> list[dict[str, Any]]:
    """A last line that is half written is none."""
    lines = lines_of(path)
    whole = lines.read_bytes().rpartition(b"\n")[0] if lines.exists() else b""
    return [json.loads(line) for line in whole.splitlines()]


def _apply(lines: list[dict[str, Any]], raw: dict[str, Any]) -> None:
    """Every line has what has changed of the report itself, and whole entries by their place in it."""
    for line in lines:
        raw |= line["report"]
        for place, entry in line["entries"]:
            raw["entries"][place : place + 1] = [entry]


def _entry(raw: dict[str, Any]) -> Entry:
    findings = tuple(Finding(**{**finding, "level": Level(finding["level"])}) for finding in raw.get("findings", ()))
    return Entry(**{**_known(Entry, raw), "findings": findings})


def _known(kind: type[Entry | Report], raw: dict[str, Any]) -> dict[str, Any]:
    return {field.name: raw[field.name] for field in fields(kind) if field.name in raw}


class Journal:
    """Keeps a Report current on disk, at `path`. Safe for all threads of a run."""

    def __init__(self, report: Report, path: Path) -> None:
        self.report = report
        self.path = path
        self.phase = ""
        """Of the entries that begin now."""
        self._numbers = count(1)
        self._writing = threading.Lock()
        self._newest = {(entry.step, entry.target): entry for entry in report.entries}
        self._places = {id(entry): place for place, entry in enumerate(report.entries)}
        self._running = dict[int, str]()
        """By place: what an entry that has not ended waits for, as it was last written."""
        self._head = dict[str, Any]()
        """The report itself, without its entries, as it was last written."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._write_whole()

    def number(self) -> int:
        """The next place in the runbook."""
        return next(self._numbers)

    def begin(self, step: str, target: str, undo: str = "") -> Entry:
        """The entry of this step and target: a new one, or, if its last attempt failed, that one for one more attempt."""
        with self._writing:
            entry = self._newest.get((step, target))
            if entry is not None and entry.outcome == "failed":
                entry.retries += 1
                entry.outcome, entry.ended = RUNNING, None
            else:
                entry = Entry(step, target, now(), phase=self.phase, number=place.get() or self.number(), undo=undo)
                self._newest[step, target] = entry
                self._places[id(entry)] = len(self.report.entries)
                self.report.entries.append(entry)
            self._write(entry)
            return entry

    def act(self) -> None:
        """Note that the step of this context begins to act."""
        entry = under_way.get()
        if entry is not None and entry.acted is None:
            with self._writing:
                entry.acted = now()
                self._write(entry)

    def end(self, entry: Entry, outcome: Outcome | BaseException, round_trips: int, commands: Sequence[str] = ()) -> None:
        with self._writing:
            entry.ended, entry.awaiting = now(), ""
            entry.ssh_round_trips += round_trips
            entry.commands = (*entry.commands, *commands)
            if isinstance(outcome, Outcome):
                entry.outcome, entry.why = outcome.change.value, outcome.why
                entry.diffs, entry.findings = outcome.diffs, outcome.findings
            else:
                entry.outcome, entry.why = "failed", str(outcome)
                entry.findings = outcome.findings if isinstance(outcome, FindingsError) else ()
            self._write(entry)

    def finish(self, outcome: str, error: str = "", at: str = "") -> None:
        with self._writing:
            self.report.ended, self.report.outcome, self.report.error = at or now(), outcome, error
            self._write_whole()

    def _write(self, entry: Entry) -> None:
        """One line: this entry, those that wait for something else by now, and what flows have changed of the report itself."""
        place, entries = self._places[id(entry)], self.report.entries
        changed = [place, *(other for other, awaiting in self._running.items() if other != place and entries[other].awaiting != awaiting)]
        head = self._head_now()
        line = {
            "report": {name: value for name, value in head.items() if value is not self._head[name]},
            "entries": [(other, asdict(entries[other])) for other in changed],
        }
        with lines_of(self.path).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        self._head = head
        self._running.update((other, entries[other].awaiting) for other in changed)
        if entry.ended is not None:
            del self._running[place]

    def _write_whole(self) -> None:
        """The report, and after it no line: a reader between the two applies lines to what already has them."""
        half = self.path.with_suffix(".half")
        with half.open("w", encoding="utf-8") as file:
            file.write(_text(self.report.as_json()))
            file.flush()
            os.fsync(file.fileno())
        half.replace(self.path)
        lines_of(self.path).unlink(missing_ok=True)
        self._head = self._head_now()

    def _head_now(self) -> dict[str, Any]:
        return {field.name: getattr(self.report, field.name) for field in fields(Report) if field.name != "entries"}


def _text(whole: dict[str, Any]) -> str:
    """As JSON, a line for each field and each entry; json.dump with an indentation takes ten times as long."""
    lists = {name: ",\n  ".join(map(json.dumps, value)) for name, value in whole.items() if isinstance(value, list)}
    lines = (f" {json.dumps(name)}: " + (f"[{lists[name]}]" if name in lists else json.dumps(value)) for name, value in whole.items())
    return "{\n" + ",\n".join(lines) + "\n}\n"
