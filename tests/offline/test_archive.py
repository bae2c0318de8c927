"""The archive is built, and installed on a machine that has no network at all but loopback."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from deployments.offline import build

FLOWS = "from deployments.serve import runner_deployments; print(*sorted(f'{one.flow_name}/{one.name}' for one in runner_deployments()))"


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build.build(tmp_path_factory.mktemp("dist"))


@pytest.fixture
def unpacked(archive: Path, tmp_path: Path) -> Iterator[Path]:
    subprocess.run(["tar", "-xzf", archive, "-C", tmp_path], check=True)
    (top,) = tmp_path.iterdir()
    yield top
    shutil.rmtree(top)


def without_network(top: Path, *words: str | Path, **variables: str) -> str:
    """The output of a command in a network namespace of its own: nothing is up in it, not even loopback."""
    env = {"PATH": os.environ["PATH"], "HOME": str(top), **variables}
    done = subprocess.run(
        ["unshare", "--net", *words], cwd=top, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.mark.parametrize("version", build.PYTHONS)
def test_it_is_installed_without_a_network(unpacked: Path, version: str) -> None:
    python = interpreter(version)
    assert interfaces(without_network(unpacked, "cat", "/proc/net/dev")) == ["lo"]
    said = without_network(unpacked, "./install.sh", PYTHON=str(python))
    assert f"installed in {unpacked}/.venv with Python {version}." in said
    bin = unpacked / ".venv" / "bin"
    assert "prod: 3 sources, 6 targets" in without_network(unpacked, bin / "python", "-m", "configs.check", "configs/prod.example.yaml")
    assert "migrate/prod" in without_network(unpacked, bin / "python", "-c", FLOWS).split()
    assert "installed already" in without_network(unpacked, "./install.sh", PYTHON=str(python))


def interfaces(said: str) -> list[str]:
    return [line.partition(":")[0].strip() for line in said.splitlines()[2:]]


def interpreter(version: str) -> Path:
    """A Python of this version on this machine; the test is skipped where there is none."""
    for folder in os.get_exec_path():
        found = Path(folder) / f"python{version}"
        if found.exists() and subprocess.run([found, "-c", ""], check=False, capture_output=True).returncode == 0:
            return found
    pytest.skip(f"no CPython {version} in the PATH of this machine")
