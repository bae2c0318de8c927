"""What every step promises. A new step is in here by existing: without a case in cases.py the first test fails."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from prefect import Task

import tasks
from blocks.errors import AnotherRunError
from tasks.engine.outcome import Change, Outcome
from tests.fakes.clock import FakeTime
from tests.fakes.faults import Killed
from tests.fakes.world import World
from tests.unit.tasks.cases import CASES

MODULES = [importlib.import_module(module.name) for module in pkgutil.walk_packages(tasks.__path__, "tasks.")]
STEPS: dict[str, Task[..., Outcome]] = {
    name: found
    for module in MODULES
    for name, found in vars(module).items()
    if isinstance(found, Task) and found.fn.__module__ == module.__name__
}
ACTING = sorted(name for name in STEPS if name in CASES and not CASES[name].asks)
ALL = sorted(name for name in STEPS if name in CASES)


def execute(name: str, world: World, **how: Any) -> Outcome:
    return STEPS[name].fn(world.run(**how), *CASES[name].arguments(world))


def dies(name: str, world: World) -> bool:
    try:
        execute(name, world)
    except Killed:
        return True
    return False


def test_every_step_has_a_case() -> None:
    assert sorted(STEPS) == sorted(CASES)


def is_check(name: str) -> bool:
    return "run" not in inspect.signature(STEPS[name].fn.__wrapped__).parameters  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", [name for name in sorted(STEPS) if not is_check(name)])
def test_a_step_says_what_it_makes_true_and_how_to_undo_it(name: str) -> None:
    words = STEPS[name].fn.__doc__ or ""

    assert words.startswith("Make ")
    assert "Undo: " in words


@pytest.mark.parametrize("name", [name for name in sorted(STEPS) if is_check(name)])
def test_a_check_says_what_must_hold_and_has_nothing_to_undo(name: str) -> None:
    words = STEPS[name].fn.__doc__ or ""

    assert words.partition("\n")[0].endswith(".")
    assert "Undo: " not in words


def test_what_only_asks_is_a_check_and_what_acts_is_a_step() -> None:
    assert {name for name in ALL if CASES[name].asks} == {name for name in ALL if is_check(name)}


@pytest.mark.parametrize("name", ACTING)
def test_a_step_acts_once_and_the_second_run_changes_nothing(name: str, world: World) -> None:
    CASES[name].given(world)

    assert execute(name, world).change is Change.CHANGED
    assert world.mutations != []
    world.forget()
    assert execute(name, world).change is Change.UNCHANGED
    assert world.mutations == []


@pytest.mark.parametrize("name", [name for name in ALL if CASES[name].asks])
def test_a_step_that_only_asks_changes_nothing(name: str, world: World) -> None:
    CASES[name].given(world)

    assert execute(name, world).change is Change.UNCHANGED
    assert world.mutations == []


@pytest.mark.parametrize("name", ALL)
def test_a_dry_run_changes_nothing(name: str, world: World) -> None:
    CASES[name].given(world)

    outcome = execute(name, world, dry=True)

    assert world.mutations == []
    assert outcome.change is Change.PLANNED or CASES[name].asks
    assert outcome.why


@pytest.mark.parametrize("name", ACTING)
def test_a_run_that_has_lost_its_lock_does_not_act(name: str, world: World) -> None:
    CASES[name].given(world)
    world.lock.lost = True

    with pytest.raises(AnotherRunError):
        execute(name, world)
    assert world.mutations == []


@pytest.mark.parametrize("name", ACTING)
def test_a_run_that_is_killed_after_any_mutation_is_finished_by_the_next(
    name: str, folder: Path, time: FakeTime
) -> None:
    for mutations in count(1):
        world = World(folder / str(mutations), time)
        CASES[name].given(world)
        world.life.mutations_left = mutations
        if not dies(name, world):
            break

        execute(name, world)
        world.forget()
        assert execute(name, world).change is Change.UNCHANGED
        assert world.mutations == []
    assert mutations > 1
