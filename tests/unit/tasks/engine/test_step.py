"""What every step gets by being one: it is recorded, guarded and logged."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import pytest

from blocks.errors import AnotherRunError, HostUnreachableError, RefusedError
from configs.errors import EvenkeelError
from tasks.engine.finding import warning
from tasks.engine.journal import read_report
from tasks.engine.outcome import Outcome, changed
from tasks.engine.run import Moment, Run, moments
from tasks.engine.step import name_of, step, undo_of
from tests.fakes.host import FakeHost
from tests.fakes.world import World


@step("demo step")
def demo(run: Run, host: FakeHost, *, error: Exception | None = None) -> Outcome:
    """Make a demonstration.

    Undo: none needed.
    """
    with run.acting(host.name, "demonstrating"):
        host.run("true", what="first")
        host.run("true", what="second")
    if error is not None:
        raise error
    return changed("demonstrated", findings=(warning("demo-care", "vm-1", "with care", "look"),))


def written(run: Run) -> dict[str, Any]:
    (entry,) = read_report(run.journal.path).entries
    return asdict(entry)


def test_a_step_is_recorded_with_its_round_trips(world: World) -> None:
    run = world.run()
    demo.fn(run, world.hosts["vm-1"])

    entry = written(run)
    assert (entry["step"], entry["target"], entry["outcome"]) == ("demo step", "vm-1", "changed")
    assert entry["ssh_round_trips"] == 2


def test_a_failed_step_is_recorded_with_its_message(world: World) -> None:
    run = world.run()
    with pytest.raises(RefusedError):
        demo.fn(run, world.hosts["vm-1"], error=RefusedError("vm-1: no", id="demo-no"))

    assert (written(run)["outcome"], written(run)["why"]) == ("failed", "vm-1: no [demo-no]")


def test_findings_are_in_the_log_by_their_level(world: World, caplog: pytest.LogCaptureFixture) -> None:
    demo.fn(world.run(), world.hosts["vm-1"])

    assert [record.message for record in caplog.records if record.levelno == logging.WARNING] == [
        "vm-1: with care: look [demo-care]"
    ]


def test_a_run_that_lost_its_lock_does_not_act(world: World) -> None:
    world.lock.lost = True

    with pytest.raises(AnotherRunError):
        demo.fn(world.run(), world.hosts["vm-1"])
    assert world.hosts["vm-1"].calls == []


def test_a_dry_run_that_would_act_is_a_bug_and_is_stopped(world: World) -> None:
    with pytest.raises(EvenkeelError, match="a dry run was about to act: this is a bug, nothing was done"):
        demo.fn(world.run(dry=True), world.hosts["vm-1"])
    assert world.hosts["vm-1"].calls == []


@contextmanager
def listening(moment: Moment) -> Iterator[None]:
    token = moments.set(moment)
    yield
    moments.reset(token)


def test_listeners_are_called_around_every_act(world: World) -> None:
    heard: list[tuple[str, str, str]] = []
    with listening(lambda *moment: heard.append(moment)):
        demo.fn(world.run(), world.hosts["vm-1"])

    assert heard == [
        ("before act", "vm-1", "demonstrating"),
        ("after act", "vm-1", "demonstrating"),
        ("after verify", "vm-1", "demo step"),
    ]


def test_an_act_that_failed_is_not_announced_as_done(world: World) -> None:
    heard: list[str] = []
    world.hosts["vm-1"].fail("second", HostUnreachableError("cable"))

    with listening(lambda moment, *_: heard.append(moment)), pytest.raises(HostUnreachableError):
        demo.fn(world.run(), world.hosts["vm-1"])
    assert heard == ["before act"]


def test_a_step_is_never_skipped_because_a_cache_says_so() -> None:
    assert demo.persist_result is False
    assert demo.cache_policy.compute_key(None, {}, {}) is None  # type: ignore[arg-type]


def test_a_target_is_called_by_its_name_or_its_text(world: World) -> None:
    assert [name_of(target) for target in (world.hosts["vm-1"], world.platform, "text")] == ["vm-1", "demo", "text"]


def test_a_step_is_recorded_with_its_phase_its_way_back_and_what_it_asked_of_hosts(world: World) -> None:
    run = world.run()
    run.enter("join")
    demo.fn(run, world.hosts["vm-1"])

    entry = written(run)
    assert (entry["phase"], entry["number"], entry["undo"]) == ("join", 1, undo_of(demo.fn))
    assert entry["undo"]
    assert all(command.startswith("vm-1: ") for command in entry["commands"])
    assert len(entry["commands"]) == entry["ssh_round_trips"]


def test_the_way_back_is_one_line_however_its_docstring_is_broken() -> None:
    def body() -> None:
        """Make it so. Undo: the step `end
        surge`; nothing more.
        """

    assert undo_of(body) == "the step end surge; nothing more"
