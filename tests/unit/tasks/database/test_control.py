"""A long command of backup-ctl outlives the connection that began it, is begun once, and is found by whoever comes later."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

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
from tasks.database.control import DETACHED, await_detached, control_detached
from tests.fakes.platform import platform
from tests.fakes.world import World

SHELLS = [["sh"], ["bash"], *([["busybox", "sh"]] if shutil.which("busybox") else [])]


class Pod:
    """A pod's shell; its /tmp is a folder of the test's."""

    def __init__(self, folder: Path, shell: list[str]) -> None:
        self.folder, self.shell = folder, shell

    def ask(self, *words: str) -> str:
        script = DETACHED.replace("/tmp/evenkeel", str(self.folder / "evenkeel"))
        done = subprocess.run(
            [*self.shell, "-c", script, "evenkeel", *words], capture_output=True, text=True, check=True, timeout=5
        )
        return done.stdout

    def until(self, name: str, is_so: Callable[[str], bool]) -> str:
        ends = time.monotonic() + 10
        while not is_so(said := self.ask("look", name)):
            assert time.monotonic() < ends, said
            time.sleep(0.02)
        return said


@pytest.fixture(params=SHELLS, ids=" ".join)
def pod(request: pytest.FixtureRequest, tmp_path: Path) -> Pod:
    return Pod(tmp_path, request.param)


def test_a_command_goes_on_without_its_connection_and_its_end_is_kept(pod: Pod) -> None:
    pod.ask("begin", "load-1", "sh", "-c", f"until [ -e {pod.folder}/go ]; do sleep 0.05; done; echo said; exit 3")
    assert pod.ask("look", "load-1") == "running\n"
    assert pod.ask("running", "") == "load-1\n"

    (pod.folder / "go").touch()

    assert pod.until("load-1", lambda said: said != "running\n") == "3\nsaid\n"
    assert pod.ask("running", "") == ""


def test_only_the_pods_own_user_reads_what_a_command_says_and_a_link_is_not_followed(pod: Pod, tmp_path: Path) -> None:
    (elsewhere := tmp_path / "elsewhere").mkdir()
    (tmp_path / "evenkeel").symlink_to(elsewhere)

    pod.ask("begin", "load-1", "true")
    pod.until("load-1", lambda said: said != "running\n")

    assert not list(elsewhere.iterdir())
    assert (tmp_path / "evenkeel").stat().st_mode & 0o777 == 0o700


def test_a_command_is_begun_once_however_often_that_is_asked_for(pod: Pod) -> None:
    for _ in range(3):
        pod.ask("begin", "load-1", "sh", "-c", f"echo x >> {pod.folder}/begun")
    pod.until("load-1", lambda said: said != "running\n")
    pod.ask("begin", "load-1", "sh", "-c", f"echo x >> {pod.folder}/begun")

    assert (pod.folder / "begun").read_text() == "x\n"


def test_no_command_is_begun_beside_another(pod: Pod) -> None:
    pod.ask("begin", "load-1", "sh", "-c", f"until [ -e {pod.folder}/go ]; do sleep 0.05; done")

    assert pod.ask("begin", "load-2", "true") == "load-1\n"
    assert pod.ask("look", "load-2") == "died\n"

    (pod.folder / "go").touch()
    pod.until("load-1", lambda said: said != "running\n")
    assert pod.ask("begin", "load-2", "true") == ""
    assert sorted(os.listdir(pod.folder / "evenkeel")) == ["load-2"]  # noqa: PTH208


def test_a_command_that_is_killed_has_not_ended(pod: Pod) -> None:
    pod.ask("begin", "load-1", "sleep", "5")
    pid = int((pod.folder / "evenkeel/load-1/pid").read_text())
    os.kill(pid, 9)

    assert pod.until("load-1", lambda said: said != "running\n") == "died\n"


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
