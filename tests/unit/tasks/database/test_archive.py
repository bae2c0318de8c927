"""A backup counts when its archive was read whole; the database's password is in no argument."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from blocks.errors import HostError, KubeUnavailableError, RefusedError, VerificationError
from blocks.ports import ExecResult
from configs.errors import EvenkeelError
from tasks.database.archive import BACKUP, ensure_backup, expire_backups
from tasks.database.sql import LOGIN, ask_sql
from tasks.engine.outcome import Change, Outcome
from tests.fakes.platform import CONFIG, platform
from tests.fakes.world import World

PASSWORD = SecretStr("dbs3cret")


def back_up(world: World) -> Outcome:
    return ensure_backup.fn(world.run(), world.platform, world.hosts["vm-1"], world.kube, world.record)


def expire(world: World, **how: Any) -> Outcome:
    return expire_backups.fn(world.run(), world.hosts["vm-1"], world.platform, world.kube, **how)


def ask(world: World, sql: str = "SELECT 1;") -> str:
    assert world.platform.database is not None
    return ask_sql(world.kube, world.platform.database, "app", PASSWORD, sql)


def test_the_record_keeps_the_archives_name_size_and_checksum(world: World) -> None:
    back_up(world)

    kept = world.record.read(BACKUP)
    archive = world.hosts["vm-1"].path("/mnt/uap-global/backup/tidb-backup-20260102-0.tar.gz").read_bytes()
    assert kept is not None
    assert (kept["name"], kept["size"]) == ("tidb-backup-20260102-0.tar.gz", len(archive))
    assert len(kept["sha256"]) == 64


def test_a_record_has_one_backup(world: World) -> None:
    back_up(world)

    assert back_up(world).change is Change.UNCHANGED
    assert world.backups.archives() == ["tidb-backup-20260102-0.tar.gz"]


@pytest.mark.parametrize(
    ("spoil", "why"), [("missing", "there is no /mnt"), ("empty", "is empty"), ("truncated", "is damaged")]
)
def test_a_backup_that_only_seems_to_succeed_fails_loudly(world: World, spoil: str, why: str) -> None:
    world.backups.spoil = spoil

    with pytest.raises(VerificationError, match=f"vm-1: backup-and-save reported success, but .*{why}"):
        back_up(world)
    assert world.record.read(BACKUP) is None


def test_an_answer_that_names_an_old_archive_is_no_backup(world: World) -> None:
    world.backups.has_archive("tidb-backup-20260101")
    world.kube.answers["backup-and-save"] = ExecResult(0, "saved tidb-backup-20260101.tar.gz\n", "")

    with pytest.raises(VerificationError, match="names no new archive"):
        back_up(world)


def test_without_a_pod_that_does_it_nothing_is_changed(world: World) -> None:
    world.kube.workload_list.clear()
    for pod in world.kube.pods():
        world.kube.evict(pod)
    world.kube.pods(), world.kube.pods()
    world.forget()

    with pytest.raises(RefusedError, match="no Ready pod app=backup-ctl in namespace uap: kubectl get pods -n uap"):
        back_up(world)
    assert world.mutations == []


def test_without_the_file_lake_nothing_is_changed(world: World) -> None:
    world.hosts["vm-1"].run("rm -r /mnt/uap-global", what="given")
    world.backups.hosts = world.backups.hosts[1:]
    world.forget()

    with pytest.raises(RefusedError, match="vm-1: /mnt/uap-global/backup is not the folder that backup-ctl writes to: mount the file lake"):
        back_up(world)
    assert world.mutations == []


def test_an_empty_mount_point_is_not_taken_for_the_file_lake(world: World) -> None:
    world.backups.has_archive("tidb-backup-20260101")
    world.hosts["vm-1"].run("rm -r /mnt/uap-global/*", what="given")
    world.backups.hosts = world.backups.hosts[1:]
    world.forget()

    with pytest.raises(RefusedError, match="vm-1: /mnt/uap-global/backup is not the folder that backup-ctl writes to"):
        back_up(world)
    assert world.mutations == []


def test_a_backup_that_fails_is_no_backup(world: World) -> None:
    world.kube.answers["backup-and-save"] = ExecResult(3, "", "no space left\n")

    with pytest.raises(HostError, match="backup-and-save: exit code 3: no space left"):
        back_up(world)
    assert world.record.read(BACKUP) is None


def test_a_backup_whose_answer_got_lost_is_taken_again(world: World) -> None:
    world.kube.fail("exec", KubeUnavailableError("no API server answered"), times=1, after=True)
    with pytest.raises(EvenkeelError):
        back_up(world)

    assert back_up(world).change is Change.CHANGED


def test_expired_archives_are_told_and_kept(world: World) -> None:
    world.backups.has_archive("tidb-backup-20200101")

    outcome = expire(world)

    assert outcome.change is Change.UNCHANGED
    assert outcome.notes == ("expired: tidb-backup-20200101.tar.gz",)
    assert world.mutations == []


def test_the_way_back_is_never_deleted(world: World) -> None:
    world.platform = platform(backup={**CONFIG["backup"], "delete_expired": True})
    world.backups.has_archive("tidb-backup-20200101")

    assert expire(world, keep={"tidb-backup-20200101.tar.gz"}).change is Change.UNCHANGED
    assert world.mutations == []


def test_statement_and_password_go_over_standard_input_only(world: World) -> None:
    ask(world)

    _, _, argv, stdin = world.kube.execs[0]
    assert not any(word in " ".join(argv) for word in ("dbs3cret", "SELECT"))
    assert stdin == "dbs3cret\nSELECT 1;"


def test_a_query_that_fails_tells_the_clients_words_and_no_secret(world: World) -> None:
    world.kube.answers["mysql"] = ExecResult(1, "", "ERROR 1045 (28000): Access denied\n")

    with pytest.raises(HostError, match="debug-mysql-client: mysql as app: ERROR 1045") as told:
        ask(world, "ALTER USER app IDENTIFIED BY 's3cret';")
    assert "s3cret" not in str(told.value)


def test_a_statement_that_is_not_understood_is_not_repeated(world: World) -> None:
    repeated = "ERROR 1064 (42000) at line 1: You have an error; see the manual for the syntax near 'BY 's3cret';' at line 1"
    world.kube.answers["mysql"] = ExecResult(1, "", repeated)

    with pytest.raises(HostError, match="ERROR 1064") as told:
        ask(world, "ALTER USER app IDENTIFIED BY 's3cret';")
    assert "s3cret" not in str(told.value)


def test_an_answer_comes_without_its_line_end(world: World) -> None:
    assert ask(world) == "1"


@pytest.mark.parametrize("password", [" blanks at both ends ", "back\\slash", "$HOME'\"`", ""])
def test_the_client_gets_password_and_statements_as_they_are(tmp_path: Path, password: str) -> None:
    client = tmp_path / "mysql"
    client.write_text('#!/bin/sh\nprintf "%s|" "$MYSQL_PWD"\nexec cat\n')
    client.chmod(0o755)
    sql = "SELECT 'two\nlines';"

    done = subprocess.run(
        ["/bin/sh", "-c", LOGIN.format(size=len(sql), host="h", port=1, user="u", schema="s")],
        input=f"{password}\n{sql}and what is not ours", capture_output=True, text=True, check=True,
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
    )

    assert done.stdout == f"{password}|{sql}"
