"""A whole run of these tests fails when there is an id that none of them has provoked; with xdist its workers say what they saw."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.provoked import Provoked

provoked = Provoked()
deselected: list[pytest.Item] = []


def pytest_deselected(items: list[pytest.Item]) -> None:
    deselected.extend(items)


def pytest_collection_finish(session: pytest.Session) -> None:
    provoked.collected([] if deselected else [item.path for item in session.items])


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    said = getattr(node, "workeroutput", {}).get("provoked")
    if said is not None:
        provoked.ids.update(said["ids"])
        provoked.whole = said["whole"]


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    worker = getattr(session.config, "workeroutput", None)
    if worker is not None:
        worker["provoked"] = {"ids": sorted(provoked.ids), "whole": provoked.whole}
    elif exitstatus == pytest.ExitCode.OK and not session.config.option.collectonly and provoked.judge():
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if provoked.missing:
        terminalreporter.section("ids that no test provokes", red=True)
        terminalreporter.line("docs/findings.md describes them; provoke each in tests/unit, or name it where a longer test does:")
        for one in provoked.missing:
            terminalreporter.line(f"  {one}")
