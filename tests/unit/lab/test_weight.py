"""The switch of the lab's weight."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from deployments.lab import cache, weight
from deployments.lab.machines import find
from deployments.lab.shell import LabError

UNINSTALL = '#!/bin/sh\nset -x\necho gone "$@"\n'


@pytest.fixture
def uninstall(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The old platform's uninstall script on a target that is off; and a `sleep` that only says how long."""
    monkeypatch.setattr(cache, "ROOT", tmp_path)
    script = cache.disk(find("phys-2")) / "upper/usr/local/bin/k3s-agent-uninstall.sh"
    put(script, "#!/bin/sh\necho gone\n")
    put(tmp_path / "bin/sleep", '#!/bin/sh\necho "slept $1"\n')
    return script


def put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def said(script: Path, *words: str, folder: Path) -> list[str]:
    env = {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}"}
    return subprocess.run([script, *words], capture_output=True, text=True, check=True, env=env).stdout.splitlines()


def test_the_uninstallation_waits_before_it_begins(uninstall: Path, tmp_path: Path) -> None:
    weight.write(find("phys-2"))

    assert said(uninstall, folder=tmp_path) == [f"slept {weight.UNINSTALL_S}", "gone"]


def test_only_loading_takes_longer_and_docker_gets_all_its_words(uninstall: Path, tmp_path: Path) -> None:
    weight.write(find("phys-2"))

    real, docker = tmp_path / "bin/docker", uninstall.with_name("docker")
    put(real, '#!/bin/sh\nprintf "<%s>" "$@"\n')
    docker.write_text(docker.read_text().replace("/usr/bin/docker", str(real)))
    assert said(docker, "load", "-i", "a b.tar", folder=tmp_path) == [f"slept {weight.LOAD_S}", "<load><-i><a b.tar>"]
    assert said(docker, "ps", "load", folder=tmp_path) == ["<ps><load>"]


@pytest.mark.parametrize(("asked", "field"), [("none", False), ("field", True)])
def test_it_is_off_unless_it_is_switched_on(asked: str, field: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_WEIGHT", asked)
    assert weight.is_field() is field

    monkeypatch.delenv("LAB_WEIGHT")
    assert not weight.is_field()


def test_any_other_value_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_WEIGHT", "heavy")

    with pytest.raises(LabError, match="LAB_WEIGHT: 'heavy' is neither none nor field"):
        weight.is_field()
