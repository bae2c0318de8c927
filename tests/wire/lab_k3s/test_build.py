"""The one-file executable."""

import subprocess

import pytest

from deployments.lab.k3s import build


@pytest.fixture
def bundle(tmp_path):
    build.main(tmp_path)
    return tmp_path


def test_the_same_sources_give_the_same_bytes():
    assert build.pack() == build.pack()


def test_it_runs_by_itself(bundle):
    shown = subprocess.run([bundle / "k3s", "--version"], capture_output=True, text=True, cwd="/", check=True)
    assert shown.stdout.startswith("k3s version v1.20.2+k3s1")


def test_it_plays_the_version_that_it_was_packed_for(tmp_path, monkeypatch):
    monkeypatch.setenv("LAB_K3S_VERSION", "1.20.9")
    build.main(tmp_path)

    shown = subprocess.run([tmp_path / "k3s", "--version"], capture_output=True, text=True, check=True)
    assert "plays 1.20.9" in shown.stdout


def test_an_error_is_one_line_that_says_what_to_do(bundle):
    shown = subprocess.run([bundle / "k3s", "agent", "--docker"], capture_output=True, text=True, env={}, check=False)
    assert shown.returncode == 1
    assert "K3S_URL=https://" in shown.stderr
    assert "Traceback" not in shown.stderr


def test_the_installer_is_a_posix_script(bundle):
    subprocess.run(["sh", "-n", bundle / "install-k3s.sh"], check=True)
