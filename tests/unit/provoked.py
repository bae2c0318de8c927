"""Every id of docs/findings.md is provoked by a test: which ones were made is recorded while the tests run."""

from __future__ import annotations

import functools
import re
import sys
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

from configs.errors import EvenkeelError
from tasks.engine.finding import Finding

HERE = Path(__file__).parent
PAGE = HERE.parent.parent / "docs/findings.md"
LONGER = ("flows", "lab", "faults", "ssh")  # tests that are not run together with these; they name the ids that they provoke
MAKING = ("configs.errors", "blocks.errors", "tasks.engine.finding", "dataclasses", __name__)
WORDS = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)+")


class Provoked:
    """The ids of the errors and findings that the product makes in this process, and whether it was given all tests of tests/unit."""

    def __init__(self) -> None:
        self.ids: set[str] = set()
        self.whole = False
        self.missing: list[str] = []
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

    def collected(self, paths: Iterable[Path]) -> None:
        self.whole = set(HERE.rglob("test_*.py")) <= set(paths)

    def judge(self) -> list[str]:
        """The ids that nobody has provoked; none while only a part of the tests was run."""
        if self.whole:
            self.missing = never_provoked(PAGE.read_text(encoding="utf-8"), self.ids, _longer_tests())
        return self.missing


def _maker() -> str:
    """The module that makes an error or a finding: what a test or a fake makes by itself, the product has not met."""
    frame = sys._getframe(2)
    while frame.f_back is not None and frame.f_globals["__name__"] in MAKING:
        frame = frame.f_back
    return str(frame.f_globals["__name__"])


def never_provoked(page: str, provoked: Collection[str], tests: Iterable[str]) -> list[str]:
    """The ids that the page describes and that were neither made nor are named in the text of a test."""
    named = {word for text in tests for word in WORDS.findall(text)}
    return [one for one in re.findall(r"^### `([^`]+)`$", page, re.MULTILINE) if one not in provoked and one not in named]


def _longer_tests() -> Iterator[str]:
    for folder in LONGER:
        for path in sorted((HERE.parent / folder).rglob("*.py")):
            yield path.read_text(encoding="utf-8")
