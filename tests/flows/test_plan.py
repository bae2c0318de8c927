"""The plan that a dry run ends with, on a whole fake platform."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from configs.errors import EvenkeelError
from flows.evidence import setting_of, witnessed
from flows.migrate import move
from flows.report import reported
from flows.session import Session
from tasks.engine import waiting
from tasks.engine.journal import Report, read_report
from tasks.plan.plan import plan_hash
from tests.conftest import MEMORY
from tests.fakes.clock import FakeTime
from tests.fakes.platform import CONFIG, platform
from tests.fakes.world import World
from tests.flows.sessions import perform

GOLDEN = Path(__file__).parent / "golden" / "plan.md"


@dataclass(frozen=True)
class Planned:
    """Two dry runs of the same world, and what the first has written beside its report."""

    first: Report
    second: Report
    folder: Path


def plan(session: Session) -> None:
    journal = session.run.journal
    journal.report.setting = setting_of(session.platform)
    with reported(journal), witnessed(session):
        move(session)


def small(folder: Path, time: FakeTime) -> World:
    """Two sources, a server and an agent."""
    return World(folder, time, platform(http_checks=[], targets=CONFIG["targets"][1:], gates=["drain"]))


@pytest.fixture(scope="module")
def planned() -> Iterator[Planned]:
    time = FakeTime()
    token = waiting.clock.set(waiting.Clock(time.now, time.sleep))
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        world = small(Path(folder), time)
        first, second = perform(plan, world, dry=True), perform(plan, world, dry=True)
        yield Planned(first, second, world.folder / "reports" / first.run)
    waiting.clock.reset(token)


def steady(text: str) -> str:
    """Without the report's name and time, which differ from run to run, and without hashes, which say all that is below once more."""
    return re.sub(r"plan `\w+`, config `\w+`, dry run `[^`]*` of \S+", "plan `HASH`, config `HASH`, dry run `RUN` of TIME", text)


def test_a_dry_run_writes_its_plan_as_text_and_as_a_page_beside_its_report(planned: Planned) -> None:
    assert steady((planned.folder / "plan.md").read_text()) == GOLDEN.read_text()
    assert "Point of no return" in (planned.folder / "plan.html").read_text()


def test_two_dry_runs_of_the_same_world_have_the_same_hash(planned: Planned) -> None:
    assert plan_hash(planned.first) == plan_hash(planned.second)


def test_a_report_that_is_read_back_has_the_same_plan(planned: Planned) -> None:
    assert plan_hash(read_report(planned.folder / "report.json")) == plan_hash(planned.first)


def test_every_step_of_a_dry_run_has_its_phase_and_its_way_back(planned: Planned) -> None:
    phases = {entry.phase: entry.undo for entry in planned.first.entries if entry.outcome == "planned" and entry.undo}

    assert list(phases) == ["backup", "canary", "join", "drain", "keepalived", "retire"]


def test_a_dry_run_that_is_refused_says_so_on_its_page(folder: Path, time: FakeTime) -> None:
    world = small(folder, time)
    world.hosts["phys-2"].tell("uid", "1000")

    with pytest.raises(EvenkeelError, match="host-not-root"):
        perform(plan, world, dry=True)

    (page,) = (folder / "reports").glob("*/plan.md")
    assert "refused, by 1 of the findings" in page.read_text()
