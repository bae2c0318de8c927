"""The services of the orchestrator's machine: who can read what, what restarts, and that a second installation changes nothing."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from deployments.service import SECRETS, STATE, SYSTEMD, UNITS, WORKER_SECRETS, Installation, credentials

KNOWN_TO_219 = {
    *("Description", "Documentation", "After", "Wants", "WantedBy", "User", "WorkingDirectory", "Environment", "EnvironmentFile"),
    *("ExecStart", "Restart", "RestartSec", "KillMode", "UMask", "NoNewPrivileges", "CapabilityBoundingSet", "PrivateTmp"),
    *("PrivateDevices", "ProtectHome", "ProtectSystem", "RestrictAddressFamilies", "SystemCallArchitectures"),
}
"""Of the options that the units use; it warns of others and goes on."""
LATER = {
    *("ReadWritePaths", "ProtectKernelTunables", "ProtectKernelModules", "ProtectControlGroups", "RestrictNamespaces"),
    *("RestrictRealtime", "RestrictSUIDSGID", "LockPersonality", "OOMPolicy"),
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project's folder, with the program that the units start."""
    program = tmp_path / "evenkeel" / ".venv" / "bin" / "prefect"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    return tmp_path / "evenkeel"


@pytest.fixture
def destdir(tmp_path: Path, project: Path) -> Path:
    Installation(tmp_path / "root", project).install()
    return tmp_path / "root"


def at(destdir: Path, path: Path) -> Path:
    return destdir / path.relative_to("/")


def options(destdir: Path, unit: str) -> list[tuple[str, str]]:
    lines = at(destdir, SYSTEMD / unit).read_text().splitlines()
    return [(name, value) for line in lines if line[:1].isalpha() for name, _, value in [line.partition("=")]]


def values(destdir: Path, unit: str, name: str) -> list[str]:
    return [value for found, value in options(destdir, unit) if found == name]


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def passwords(destdir: Path) -> dict[str, str]:
    return dict(line.split("=", 1) for line in at(destdir, SECRETS).read_text().splitlines())


def test_only_the_owner_reads_what_is_secret(destdir: Path) -> None:
    assert {mode(at(destdir, path)) for path in (SECRETS, WORKER_SECRETS)} == {0o600}
    assert mode(at(destdir, STATE)) == 0o700
    assert {mode(at(destdir, SYSTEMD / unit)) for unit in UNITS} == {0o644}


def test_both_sides_have_the_same_password_and_no_two_installations_have(destdir: Path) -> None:
    said = passwords(destdir)
    assert said["PREFECT_API_AUTH_STRING"] == said["PREFECT_SERVER_API_AUTH_STRING"]
    assert re.fullmatch(r"admin:[0-9a-f]{32}", said["PREFECT_API_AUTH_STRING"])
    assert said["PREFECT_API_URL"].startswith("http://127.0.0.1:")
    assert credentials() != credentials()


def test_a_shell_reads_the_file_as_systemd_does(destdir: Path) -> None:
    script = f"set -a; . {shlex.quote(str(at(destdir, SECRETS)))}; set +a; env"
    said = subprocess.run(["bash", "-c", script], env={}, capture_output=True, text=True, check=True).stdout.splitlines()
    assert {f"{name}={value}" for name, value in passwords(destdir).items()} <= set(said)


@pytest.mark.parametrize("unit", UNITS)
def test_no_secret_is_in_a_unit_which_everybody_can_read(destdir: Path, unit: str) -> None:
    text = at(destdir, SYSTEMD / unit).read_text()
    assert not [value for name, value in passwords(destdir).items() if name != "PREFECT_API_URL" and value in text]
    assert "AUTH" not in text
    assert str(SECRETS) in values(destdir, unit, "EnvironmentFile")


def test_the_server_listens_on_loopback_and_the_worker_starts_after_it(destdir: Path, project: Path) -> None:
    server, worker = UNITS
    assert values(destdir, server, "ExecStart") == [f"{project}/.venv/bin/prefect server start --host 127.0.0.1"]
    assert server in values(destdir, worker, "After")[0].split()
    assert server in values(destdir, worker, "Wants")[0].split()


def test_both_come_back_and_a_migration_outlives_server_and_worker(destdir: Path) -> None:
    server, worker = UNITS
    assert [values(destdir, unit, "Restart") for unit in UNITS] == [["always"], ["always"]]
    assert not {"Requires", "BindsTo", "PartOf"} & {name for name, _ in options(destdir, worker)}
    assert values(destdir, worker, "KillMode") == ["process"]
    assert values(destdir, server, "KillMode") == []


@pytest.mark.parametrize("unit", UNITS)
def test_systemd_219_reads_the_units(destdir: Path, unit: str) -> None:
    assert {name for name, _ in options(destdir, unit)} <= KNOWN_TO_219 | LATER
    protect = values(destdir, unit, "ProtectSystem")
    assert protect[0] == "full", "it does not know `strict`, and keeps what stands before"
    assert "infinity" not in at(destdir, SYSTEMD / unit).read_text()


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze on this machine")
def test_systemd_has_nothing_to_say_about_the_units(destdir: Path) -> None:
    words = ["systemd-analyze", "verify", "--man=no", *(str(at(destdir, SYSTEMD / unit)) for unit in UNITS)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, [line for line in (done.stdout + done.stderr).splitlines() if "evenkeel" in line]) == (0, [])


def test_a_second_installation_changes_nothing(destdir: Path, project: Path) -> None:
    before = {path: (path.read_bytes(), path.stat().st_ino) for path in destdir.rglob("*") if path.is_file()}
    said = Installation(destdir, project).install()
    assert [line.rpartition(": ")[2] for line in said] == ["unchanged", "kept", "kept", "unchanged", "unchanged"]
    assert {path: (path.read_bytes(), path.stat().st_ino) for path in destdir.rglob("*") if path.is_file()} == before


def test_a_mode_that_somebody_has_widened_is_mended_and_the_password_kept(destdir: Path, project: Path) -> None:
    before = passwords(destdir)
    at(destdir, SECRETS).chmod(0o644)
    said = Installation(destdir, project).install()
    assert f"{SECRETS}: its mode was 0644 and is 0600 now" in said
    assert (mode(at(destdir, SECRETS)), passwords(destdir)) == (0o600, before)


def test_a_unit_that_differs_is_replaced_and_its_restart_left_to_the_operator(destdir: Path, project: Path) -> None:
    at(destdir, SYSTEMD / UNITS[1]).write_text("[Service]\n")
    said = Installation(destdir, project).install()
    assert f"{SYSTEMD / UNITS[1]}: changed: systemctl restart evenkeel-worker when no run is active" in said
    assert values(destdir, UNITS[1], "KillMode") == ["process"]


def test_a_folder_that_a_unit_can_not_name_is_refused(tmp_path: Path) -> None:
    (odd := tmp_path / "my project").mkdir()
    with pytest.raises(SystemExit, match="my project: a unit of systemd can't name this folder"):
        Installation(tmp_path, odd)
