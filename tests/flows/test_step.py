"""What Prefect makes of a step: what is tried again, and what is not."""

from __future__ import annotations

import pytest
from prefect import Task
from prefect.runtime import task_run

from blocks.errors import DeadlineExceededError, EtcdUnavailableError, HostUnreachableError, RefusedError
from configs.errors import EvenkeelError
from tasks.engine.journal import Entry
from tasks.engine.outcome import Outcome, changed
from tasks.engine.run import Run
from tasks.engine.step import RETRIES, RETRY_DELAYS_S, step
from tasks.etcd.join import ensure_voter
from tests.fakes.host import FakeHost
from tests.fakes.world import World
from tests.flows.sessions import perform


@step("demonstrate")
def demonstrate(run: Run, host: FakeHost) -> Outcome:
    """Make a demonstration."""
    with run.acting(host.name, "demonstrating"):
        host.run("true", what="demonstrating")
    return changed("demonstrated")


at_once = demonstrate.with_options(retry_delay_seconds=0)


def perform_once(world: World, task: Task[..., Outcome] = demonstrate) -> Entry:
    """The entry of `task`, done on vm-1 within a flow."""
    (entry,) = perform(lambda session: task(session.run, world.hosts["vm-1"]), world).entries
    return entry


def attempts(world: World) -> int:
    return world.hosts["vm-1"].calls.count("demonstrating")


def test_a_passing_error_is_tried_again(world: World) -> None:
    world.hosts["vm-1"].fail("demonstrating", HostUnreachableError("cable"), times=2)

    entry = perform_once(world, at_once)

    assert (entry.outcome, attempts(world), entry.retries) == ("changed", 3, 2)


def test_a_passing_error_that_does_not_pass_is_raised_after_the_last_attempt(world: World) -> None:
    world.hosts["vm-1"].fail("demonstrating", EtcdUnavailableError("electing"), times=99)

    with pytest.raises(EtcdUnavailableError):
        perform_once(world, at_once)
    assert attempts(world) == 1 + RETRIES


@pytest.mark.parametrize("error", [RefusedError("no"), DeadlineExceededError("late"), ValueError("a bug")], ids=repr)
def test_an_error_that_does_not_pass_is_not_tried_again(world: World, error: Exception) -> None:
    world.hosts["vm-1"].fail("demonstrating", error, times=99)

    with pytest.raises(type(error)):
        perform_once(world)
    assert attempts(world) == 1


def test_a_lost_lock_is_not_tried_again(world: World) -> None:
    world.lock.lost = True

    with pytest.raises(EvenkeelError, match="the lock is lost"):
        perform_once(world)
    assert attempts(world) == 0


def test_retries_wait_long_enough_for_etcd_to_settle() -> None:
    assert len(RETRY_DELAYS_S) == RETRIES
    assert sum(RETRY_DELAYS_S) >= 5


def test_a_step_that_was_done_is_asked_again_and_not_remembered(world: World) -> None:
    for _ in range(2):
        perform_once(world)

    assert attempts(world) == 2


def test_an_act_whose_answer_got_lost_is_completed_by_its_own_retry(world: World) -> None:
    world.etcd.fail("promote", HostUnreachableError("cable"), times=1, after=True)
    target = world.platform.targets[0]

    join = ensure_voter.with_options(retry_delay_seconds=0)

    perform(lambda session: join(session.run, world.hosts["phys-1"], world.platform, target, world.etcd, session.etcd_flags), world)

    assert [member.name for member in world.etcd.members()] == ["vm-1", "vm-2", "phys-1"]


def test_a_run_of_a_step_is_called_by_its_target(world: World) -> None:
    called: list[str] = []

    @step("note the name")
    def note_name(_run: Run, _host: FakeHost) -> Outcome:
        """Make a note of what Prefect calls this."""
        called.append(task_run.name)
        return changed("noted")

    perform(lambda session: note_name(session.run, world.hosts["vm-2"]), world)

    assert called == ["note the name: vm-2"]
