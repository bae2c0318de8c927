"""The backup comes before everything; the database's password is in no argument."""

import pytest
from pydantic import SecretStr

from blocks.ports import ExecResult
from configs.errors import EvenkeelError, HostError, KubeUnavailableError, RefusedError
from tasks.outcome import Change, Outcome
from tasks.tidb import BACKUP, ensure_backup, query
from tests.fakes.world import World

PASSWORD = SecretStr("dbs3cret")


def back_up(world: World) -> Outcome:
    return ensure_backup.fn(world.run(), world.platform, world.kube, world.record)


def ask(world: World, sql: str = "SELECT 1") -> str:
    assert world.platform.database is not None
    return query(world.kube, world.platform.database, PASSWORD, sql)


def test_a_backup_is_taken_in_the_pod_that_does_it(world: World) -> None:
    back_up(world)

    assert world.kube.execs == [("uap", "backup-ctl-3", ["/tidb-ctl.sh", "backup-and-save"], "")]


def test_the_record_keeps_what_the_backup_said(world: World) -> None:
    back_up(world)

    kept = world.record.read(BACKUP)
    assert kept is not None
    assert "tidb-backup-20260102.tgz" in str(kept)


def test_without_a_pod_that_does_it_nothing_is_changed(world: World) -> None:
    world.kube.workload_list.clear()
    for pod in world.kube.pods():
        world.kube.evict(pod)
    world.kube.pods(), world.kube.pods()
    world.forget()

    with pytest.raises(RefusedError, match="without a backup nothing is changed: kubectl get pods -n uap"):
        back_up(world)
    assert world.mutations == []


def test_a_backup_that_fails_is_no_backup(world: World) -> None:
    world.kube.answers["backup-and-save"] = ExecResult(3, "", "no space left\n")

    with pytest.raises(HostError, match="backup-and-save: exit code 3: no space left"):
        back_up(world)
    assert world.record.read(BACKUP) is None


def test_a_backup_whose_answer_got_lost_is_taken_again(world: World) -> None:
    world.kube.fail("exec", KubeUnavailableError("no API server answered"), after=True)
    with pytest.raises(EvenkeelError):
        back_up(world)

    assert back_up(world).change is Change.CHANGED


def test_the_password_goes_over_standard_input_only(world: World) -> None:
    ask(world)

    _, _, argv, stdin = world.kube.execs[0]
    assert "dbs3cret" not in " ".join(argv)
    assert stdin == "dbs3cret\n"


def test_words_of_a_query_stay_one_argument(world: World) -> None:
    ask(world, "SELECT '$(id)'")

    assert """-e 'SELECT '"'"'$(id)'"'"''""" in world.kube.execs[0][2][2]


def test_a_query_that_fails_tells_the_clients_words(world: World) -> None:
    world.kube.answers["mysql"] = ExecResult(1, "", "ERROR 1045 (28000): Access denied\n")

    with pytest.raises(HostError, match="debug-mysql-client: mysql: ERROR 1045"):
        ask(world)


def test_an_answer_comes_without_its_line_end(world: World) -> None:
    world.kube.answers["mysql"] = ExecResult(0, "1\n", "")

    assert ask(world) == "1"
