"""A part of a migration: it ends where it was asked to, works on no other target, and the next run goes on."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import pytest

from blocks.errors import RefusedError
from configs.errors import ConfigError
from flows.migrate import move
from flows.part import Part, Until, part_of
from flows.session import Session
from tasks.engine import waiting
from tasks.engine.journal import Report
from tasks.report.summary import markdown
from tests.conftest import MEMORY
from tests.fakes.clock import FakeTime
from tests.fakes.platform import CONFIG, platform
from tests.fakes.world import World
from tests.flows.sessions import perform
from tests.flows.test_migrate import small

PARTS: tuple[Until, ...] = get_args(Until)


def moved(world: World, part: Part, *, dry: bool = False) -> Report:
    def act(session: Session) -> None:
        move(session, part)

    return perform(act, world, dry=dry)


def changed(report: Report) -> set[tuple[str, str]]:
    return {(entry.step, entry.target) for entry in report.entries if entry.outcome == "changed"}


@dataclass
class Steps:
    """What one run after the other has changed, by the part that it ended after."""

    by_part: dict[str, set[str]]
    finished: list[str]


@pytest.fixture(scope="module")
def night() -> Iterator[Steps]:
    """A migration in eight runs, the last one without `until`."""
    time = FakeTime()
    token = waiting.clock.set(waiting.Clock(time.now, time.sleep))
    steps = Steps({}, [])
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        world = World(Path(folder), time, small())
        for until in (*PARTS, None):
            steps.by_part[until or "whole"] = {step for step, _ in changed(moved(world, Part(until)))}
            if world.record.finished:
                steps.finished.append(until or "whole")
        yield steps
    waiting.clock.reset(token)


@pytest.mark.parametrize(
    ("part", "last"),
    [
        ("backup", {"backup", "record old images", "record ready workloads"}),
        ("canary", {"uninstall old k3s", "join etcd"}),
        ("join", {"uninstall old k3s", "join etcd", "join k3s", "set up keepalived"}),
        ("drain", {"cordon", "drain"}),
        ("keepalived", {"hand over VIP"}),
        ("retire", {"stop k3s on source", "delete node", "remove etcd member", "retire etcd data"}),
    ],
)
def test_a_run_ends_after_the_part_that_it_was_given_and_the_next_one_goes_on(night: Steps, part: str, last: set[str]) -> None:
    assert night.by_part[part] >= last


def test_no_part_does_what_a_later_one_is_for(night: Steps) -> None:
    assert night.by_part["preflight"] == set()
    assert not night.by_part["backup"] & {"write /etc/hosts", "uninstall old k3s"}
    assert not night.by_part["canary"] & {"join k3s", "cordon"}
    assert not night.by_part["join"] & {"cordon", "drain"}
    assert night.by_part["keepalived"] == {"hand over VIP"}
    assert night.by_part["whole"] == set()


def test_only_the_run_without_until_finishes_the_migration(night: Steps) -> None:
    assert night.finished == ["whole"]


def test_only_one_target_is_worked_on_and_the_next_run_goes_on_with_the_others(folder: Path, time: FakeTime) -> None:
    world = World(folder, time, small())

    first = moved(world, Part(only=("phys-2",)))

    touched = {target for step, target in changed(first) if step != "record old images"}
    assert "phys-3" not in touched
    assert {("uninstall old k3s", "phys-2"), ("join etcd", "phys-2")} <= changed(first)
    assert "cordon" not in {entry.step for entry in first.entries}
    assert first.part == (
        "works only on phys-2 of the targets, and ends before the drains, as asked; the same command without only goes on"
        "; k3s joins later on phys-2: phys-3 must be etcd voters first"
    )
    assert first.part in markdown(first)

    second = moved(world, Part(only=("phys-3",)))
    assert {("join etcd", "phys-3"), ("join k3s", "phys-3")} <= changed(second)
    assert ("join k3s", "phys-2") in changed(moved(world, Part(only=("phys-2",))))
    moved(world, Part())
    assert world.record.finished


def test_a_plan_for_one_target_lists_that_one_and_says_so(folder: Path, time: FakeTime) -> None:
    world = World(folder, time, small())
    planned = moved(world, Part(only=("phys-2",)), dry=True)

    assert "phys-3" not in {entry.target for entry in planned.entries if entry.step == "uninstall old k3s"}
    assert "works only on phys-2 of the targets" in markdown(planned)
    assert world.mutations == []


def test_no_other_target_goes_before_the_canary(folder: Path, time: FakeTime) -> None:
    world = World(folder, time, small())

    with pytest.raises(RefusedError, match=r"phys-2: the first target is the canary .*only=phys-2 first.*\[only-before-canary\]"):
        moved(world, Part(only=("phys-3",)))
    assert world.mutations == []


@pytest.mark.parametrize(
    ("until", "only", "message"),
    [
        (None, "phys-9", "only: 'phys-9': no target has this name: write one or more of phys-1,phys-2,phys-3"),
        (None, "vm-1", "only: 'vm-1': no target"),
        (None, "", "only: '': no target"),
        ("drain", "phys-1", "until: drain: with only, a run ends before the drains: write one of preflight, backup, canary, join"),
        ("canary", "phys-2", "until: canary: no target goes first"),
    ],
)
def test_what_the_platform_has_not_is_refused_by_the_parameters(until: Until | None, only: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        part_of(platform(), until, only)


def test_without_a_canary_no_run_ends_after_it() -> None:
    with pytest.raises(ConfigError, match="canary: false"):
        part_of(platform(canary=False), "canary", None)


def test_names_are_taken_in_the_order_of_the_config() -> None:
    assert part_of(platform(), "join", "phys-3, phys-1") == Part("join", ("phys-1", "phys-3"))
    assert [target.name for target in Part().targets(platform())] == [target["name"] for target in CONFIG["targets"]]
