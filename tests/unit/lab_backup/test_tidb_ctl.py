"""/tidb-ctl.sh's archives and loaded backups, by the script itself; the database and the cluster are fakes."""

from __future__ import annotations

import io
import json
import os
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from deployments.lab import cache

SCRIPT = cache.SOURCE / "images/tidb-ctl.sh"
NAME = "tidb-backup-20231109"
# Answers what the file of the same name holds, and keeps what it was asked.
FAKE = """\
#!/bin/sh
echo "$(basename "$0") $*" >> "$FAKES/asked"
case "$*" in
*"get tidbclusters"*) cat "$FAKES/mounted" ;;
apply*) cat > "$FAKES/applied" ;;
*"get restores"*--ignore-not-found*) cat "$FAKES/restore" ;;
esac
"""


@dataclass
class Console:
    """A file lake and a cluster with at most one Restore object."""

    lake: Path
    fakes: Path

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        environment = {
            "PATH": f"{self.fakes}:{os.environ['PATH']}", "FAKES": str(self.fakes), "BACKUP_FOLDER": str(self.lake),
            "TIDB_CTL_LIBRARY": str(SCRIPT.parent / "tidb-ctl"),
        }  # fmt: skip
        return subprocess.run(["sh", SCRIPT, *words], env=environment, capture_output=True, text=True, check=False, timeout=20)

    def archive(self, name: str, member: str = "dump.sql") -> Path:
        path = self.lake / f"{name}.tar.gz"
        with tarfile.open(path, "w:gz") as tar:
            entry = tarfile.TarInfo(f"{name}/{member}")
            data = os.urandom(5000)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
        return path

    def restore_is(self, phase: str) -> None:
        (self.fakes / "restore").write_text(f"Restore {phase}")

    def asked(self) -> str:
        return (self.fakes / "asked").read_text()


@pytest.fixture
def console(tmp_path: Path) -> Console:
    made = Console(tmp_path / "backup", tmp_path / "fakes")
    made.lake.mkdir()
    made.fakes.mkdir()
    (made.fakes / "restore").touch()
    (made.fakes / "mounted").write_text("uap-global")
    for program in ("kubectl", "mysql"):
        (made.fakes / program).write_text(FAKE)
        (made.fakes / program).chmod(0o755)
    return made


def test_archives_are_listed_with_their_sizes_in_the_order_of_their_names(console: Console) -> None:
    sizes = {name: console.archive(name).stat().st_size for name in (NAME, f"{NAME}-2", "tidb-backup-20231108")}
    (console.lake / ".tidb-backup-20231110.partial.tar.gz").touch()
    assert console.run("ls-tar").stdout.splitlines() == [
        f"{name}.tar.gz {sizes[name]}" for name in ("tidb-backup-20231108", NAME, f"{NAME}-2")
    ]


def test_nothing_is_listed_where_nothing_is(console: Console) -> None:
    for command in ("ls-tar", "ls-backup"):
        done = console.run(command)
        assert (done.returncode, done.stdout) == (0, "")


def test_a_loaded_backup_is_listed(console: Console) -> None:
    console.archive(NAME)
    assert console.run("load", f"--name={NAME}").stdout == f"loaded {NAME}\n"
    assert console.run("ls-backup").stdout == f"{NAME}\n"
    assert (console.lake / NAME / "dump.sql").exists()


def test_a_truncated_archive_is_damaged_and_leaves_nothing(console: Console) -> None:
    archive = console.archive(NAME)
    os.truncate(archive, archive.stat().st_size // 2)
    done = console.run("load", f"--name={NAME}")
    assert done.returncode == 1
    assert f"archive {NAME}.tar.gz is damaged" in done.stderr
    assert [path.name for path in console.lake.iterdir()] == [archive.name]


def test_an_archive_of_something_else_is_damaged(console: Console) -> None:
    console.archive(NAME, member="notes.txt")
    assert f"there is no {NAME}/dump.sql in it" in console.run("load", f"--name={NAME}").stderr


@pytest.mark.parametrize("name", ["../etc", "tidb-backup-20231109.tar.gz", "tidb-backup-", "", "tidb-backup-1/../2"])
def test_names_that_could_leave_the_folder_are_refused(console: Console, name: str) -> None:
    done = console.run("rm-backup", f"--name={name}")
    assert done.returncode == 1
    assert "looks like tidb-backup-20231109" in done.stderr


@pytest.mark.parametrize("phase", ["Complete", "Failed"])
def test_a_backup_whose_restore_has_ended_is_removed_with_it(console: Console, phase: str) -> None:
    (console.lake / NAME).mkdir()
    console.archive(NAME)
    console.restore_is(phase)
    assert console.run("rm-backup", f"--name={NAME}").stdout == f"removed {NAME}\n"
    assert f"kubectl delete restores.pingcap.com {NAME} -n iottepa" in console.asked()
    assert [path.name for path in console.lake.iterdir()] == [f"{NAME}.tar.gz"]


@pytest.mark.parametrize(("phase", "words"), [("Running", "is Running"), ("", "is about to begin")])
def test_a_backup_that_is_being_restored_is_not_removed(console: Console, phase: str, words: str) -> None:
    (console.lake / NAME).mkdir()
    console.restore_is(phase)
    done = console.run("rm-backup", f"--name={NAME}")
    assert done.returncode == 1
    assert words in done.stderr
    assert (console.lake / NAME).exists()


def test_a_second_restore_of_one_name_is_refused(console: Console) -> None:
    (console.lake / NAME).mkdir()
    console.restore_is("Complete")
    assert f"a restore named {NAME} exists" in console.run("restore", f"--name={NAME}").stderr


def test_a_patched_database_is_recognised(console: Console) -> None:
    assert console.run("patch-tidb-for-br").stdout == "already patched\n"
    assert not (console.fakes / "applied").exists()


def test_the_patch_gives_tikv_the_file_lakes_volume(console: Console) -> None:
    (console.fakes / "mounted").write_text("")
    assert console.run("backup-and-save").returncode == 1

    assert console.run("patch-tidb-for-br").stdout == "patched: tidbcluster tidb in iottepa\n"
    tikv = json.loads((console.fakes / "applied").read_text())["spec"]["tikv"]
    assert tikv["additionalVolumeMounts"] == [{"name": "uap-global", "mountPath": "/mnt/uap-global"}]


def test_an_unknown_command_is_refused_with_the_known_ones(console: Console) -> None:
    done = console.run("ls")
    assert done.returncode == 2
    assert "backup-and-save" in done.stderr
