"""Every id of docs/findings.md is provoked by a test: which ones were made is recorded while the tests run.

A whole run of tests/unit fails when there is an id that none of its tests has provoked and no longer test names. A name in tests/wire
is a promise: a whole run of those fails when an id that they name was not provoked by them. With xdist, workers say what they saw.
"""

from __future__ import annotations

import functools
import re
import sys
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from configs.errors import EvenkeelError
from tasks.engine.finding import Finding

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs/findings.md"
LONGER = ("wire", "flows", "lab", "faults", "ssh")  # tests that are run by themselves; they name the ids that they provoke
MAKING = ("configs.errors", "blocks.errors", "tasks.engine.finding", "dataclasses", __name__)
WORDS = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)+")

Missing = Callable[[str, Collection[str]], list[str]]
"""What a run lacks, by the page and the ids that it has provoked."""


class Provoked:
    """A plugin of pytest: the ids of the errors and findings that the product makes in this process while all tests of a folder run."""

    def __init__(self, folder: Path, missing_of: Missing) -> None:
        self.folder, self.missing_of = folder, missing_of
        self.ids: set[str] = set()
        self.whole = False
        self.missing: list[str] = []
        self._deselected = False
        for kind in (EvenkeelError, Finding):
            self._record(kind)

    def _record(self, kind: Any) -> None:
        made = kind.__init__

        @functools.wraps(made)
        def recording(one: Any, *args: Any, **more: Any) -> None:
            made(one, *args, **more)
            if not _maker().startswith("tests."):
                self.ids.add(one.id)

        kind.__init__ = recording

    def pytest_deselected(self) -> None:
        self._deselected = True

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        collected = {item.path for item in session.items}
        self.whole = not self._deselected and set(self.folder.rglob("test_*.py")) <= collected

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        said = getattr(node, "workeroutput", {}).get(self._name)
        if said is not None:
            self.ids.update(said["ids"])
            self.whole = said["whole"]

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        worker = getattr(session.config, "workeroutput", None)
        if worker is not None:
            worker[self._name] = {"ids": sorted(self.ids), "whole": self.whole}
        elif exitstatus == pytest.ExitCode.OK and not session.config.option.collectonly and self._judge():
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.missing:
            terminalreporter.section(f"ids that no test of {self.folder.name} provokes", red=True)
            terminalreporter.line("docs/findings.md describes them; provoke each there, or name it where a longer test does:")
            for one in self.missing:
                terminalreporter.line(f"  {one}")

    @property
    def _name(self) -> str:
        return f"provoked in {self.folder.name}"

    def _judge(self) -> list[str]:
        """The ids that are missing; none while only a part of the tests was run."""
        if self.whole:
            self.missing = self.missing_of(PAGE.read_text(encoding="utf-8"), self.ids)
        return self.missing


def _maker() -> str:
    """The module that makes an error or a finding: what a test or a fake makes by itself, the product has not met."""
    frame = sys._getframe(2)
    while frame.f_back is not None and frame.f_globals["__name__"] in MAKING:
        frame = frame.f_back
    return str(frame.f_globals["__name__"])


def never_provoked(page: str, provoked: Collection[str], tests: Iterable[str]) -> list[str]:
    """The ids that the page describes and that were neither made nor are named in the text of a test."""
    named = named_in(tests)
    return [one for one in described(page) if one not in provoked and one not in named]


def only_named(page: str, provoked: Collection[str], tests: Iterable[str]) -> list[str]:
    """The ids that the page describes and that the text of a test names, and that were not made."""
    named = named_in(tests)
    return [one for one in described(page) if one in named and one not in provoked]


def described(page: str) -> list[str]:
    return re.findall(r"^### `([^`]+)`$", page, re.MULTILINE)


def named_in(tests: Iterable[str]) -> set[str]:
    return {word for text in tests for word in WORDS.findall(text)}


def texts_of(*folders: str) -> Iterator[str]:
    for folder in folders:
        for path in sorted((HERE / folder).rglob("*.py")):
            yield path.read_text(encoding="utf-8")
