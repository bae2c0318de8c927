"""A long command of backup-ctl outlives the connection that began it, is begun once, and is found by whoever comes later."""

from __future__ import annotations

import pytest

from blocks.errors import (
    DeadlineExceededError,
    ExecBrokenError,
    HostError,
    KubeUnavailableError,
    NotFoundError,
    OutcomeUnknownError,
)
from blocks.ports import ExecResult
from configs.errors import EvenkeelError
from tasks.database.control import await_detached, control_detached
from tests.fakes.platform import platform
from tests.fakes.world import World


def load(world: World) -> str:
    return control_detached(world.kube, world.platform, "load", "--name=x", timeout_s=60)


@pytest.mark.parametrize("lost", [ExecBrokenError("uap/b: broke"), DeadlineExceededError("uap/b: not within 60 s")])
@pytest.mark.parametrize("call", range(1, 3))
def test_an_answer_that_gets_lost_is_asked_for_again_and_nothing_is_begun_twice(world: World, call: int, lost: EvenkeelError) -> None:
    world.backups.says["load"] = ExecResult(0, "loaded\n", "")
    world.kube.fail("exec", lost, times=call, after=True)

    assert load(world) == "loaded"
    assert len(world.backups.running) == 1


def test_what_still_runs_at_the_deadline_has_an_unknown_outcome(world: World) -> None:
    world.backups.goes_on.add("load")

    with pytest.raises(OutcomeUnknownError, match=r"load --name=x ends: not within 60 s: .*\[backup-ctl-not-ended\]") as raised:
        load(world)
    assert not raised.value.retryable


def test_what_cannot_be_asked_any_more_has_an_unknown_outcome(world: World) -> None:
    world.backups.goes_on.add("load")
    world.time.later(10, lambda: world.kube.fail("exec", HostError("HTTP 403")))

    with pytest.raises(OutcomeUnknownError, match="HTTP 403: the command may still be running there"):
        load(world)


def test_a_command_is_dead_with_its_pod(world: World) -> None:
    world.backups.goes_on.add("load")
    world.time.later(10, lambda: world.kube.fail("exec", NotFoundError("pods not found")))

    with pytest.raises(HostError, match=r"load --name=x: it was killed there, or the pod was restarted: .*\[backup-ctl-killed\]"):
        load(world)


def test_another_command_of_ours_is_waited_for(world: World) -> None:
    world.backups.running["restore-1"] = None
    world.backups.says["load"] = ExecResult(0, "loaded\n", "")
    world.time.later(20, world.backups.ends)

    assert load(world) == "loaded"


def test_an_api_that_is_away_meanwhile_is_no_matter(world: World) -> None:
    world.platform = platform()
    world.backups.running["restore-1"] = None
    world.kube.fail("exec", KubeUnavailableError("no API server answered"), times=3)
    world.time.later(20, world.backups.ends)

    await_detached(world.kube, world.platform, timeout_s=60)


def test_a_subcommand_that_fails_is_reported_with_its_words(world: World) -> None:
    world.backups.says["load"] = ExecResult(1, "", "archive x.tar.gz is damaged\n")

    with pytest.raises(HostError, match=r"/tidb-ctl.sh load --name=x: exit code 1: archive x.tar.gz is damaged \[backup-ctl-failed\]"):
        load(world)
