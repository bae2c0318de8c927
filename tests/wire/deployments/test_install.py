"""What install.sh refuses before it writes anything."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from deployments.offline import build


@pytest.fixture
def unpacked(tmp_path: Path) -> Path:
    """An archive's folder, with an unknown package as its only requirement."""
    top = tmp_path / "evenkeel"
    (top / "wheels").mkdir(parents=True)
    (top / "wheels" / "requirements.txt").write_text("no-such-package==1\n")
    shutil.copy(build.ROOT / build.INSTALLER, top)
    (top / "SHA256SUMS").write_text(build.checksums(top))
    return top


def install(top: Path, python: str | Path) -> tuple[int, str]:
    done = subprocess.run(
        [top / "install.sh"], cwd="/", env={**os.environ, "PYTHON": str(python)}, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


def stand_in(folder: Path, prelude: str) -> Path:
    """This Python, which says something else of itself."""
    path = folder / "python"
    path.write_text(f"#!/bin/bash\n{{ echo {prelude!r}; cat; }} | exec {sys.executable} -\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("prelude", "said"),
    [
        ("import sys, platform; sys.version_info = (3, 9, 18); platform.python_version = lambda: '3.9.18'", "it is CPython 3.9.18"),
        ("import platform; platform.python_implementation = lambda: 'PyPy'", "it is PyPy 3."),
        ("import platform; platform.machine = lambda: 'aarch64'", "it is for linux aarch64"),
        ("import os; os.confstr = lambda name: 'glibc 2.17'", "glibc 2.17 is too old, 2.28 is needed"),
        ("import os; os.confstr = lambda name: None", "no glibc"),
        ("import sys; sys.modules['ensurepip'] = None", "lacks the module venv (Debian: apt-get install python3-venv)"),
        ("raise SystemExit(1)", "it does not run"),
    ],
)
def test_a_wrong_python_is_refused_by_name(unpacked: Path, tmp_path: Path, prelude: str, said: str) -> None:
    python = stand_in(tmp_path, prelude)
    code, output = install(unpacked, python)
    assert code == 1
    assert f"CPython 3.11, 3.12 or 3.13 for Linux x86_64 is needed; {python}: " in output
    assert said in output
    assert not (unpacked / ".venv").exists()


def test_a_python_that_is_not_there_is_refused_by_name(unpacked: Path) -> None:
    code, output = install(unpacked, "/nowhere/python3.12")
    assert code == 1
    assert "/nowhere/python3.12: not found" in output


def test_files_that_differ_from_their_checksums_are_refused_by_name(unpacked: Path) -> None:
    (unpacked / "wheels" / "requirements.txt").write_text("another==1\n")
    code, output = install(unpacked, sys.executable)
    assert code == 1
    assert "wheels/requirements.txt: FAILED" in output
    assert "copy the archive again" in output


def test_what_is_installed_stays_and_what_was_cut_off_begins_anew(unpacked: Path) -> None:
    code, output = install(unpacked, sys.executable)
    assert code != 0, "the package is in no folder"
    assert "no-such-package==1" in output
    assert not (unpacked / ".venv" / ".ready").exists()
    (unpacked / ".venv" / ".ready").touch()
    code, output = install(unpacked, sys.executable)
    assert code == 0
    assert "installed already, nothing is changed" in output


def test_it_speaks_of_the_same_pythons_and_glibc_as_the_archive_is_built_for() -> None:
    script = (build.ROOT / build.INSTALLER).read_text()
    assert f"CPython {', '.join(build.PYTHONS[:-1])} or {build.PYTHONS[-1]} for" in script
    assert " ".join(f"python{one}" for one in reversed(build.PYTHONS)) in script
    assert build.PLATFORMS[-1] == "manylinux_2_28_x86_64" and "< (2, 28)" in script
