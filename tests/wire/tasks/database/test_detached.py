"""The script that outlives its connection, in the shells that pods have: begun once, and found by whoever comes later."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tasks.database.control import DETACHED

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
