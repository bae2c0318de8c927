"""The database's answers come by a client in a pod; passwords and statements are in no argument and in no error."""

import shutil
import subprocess
from pathlib import Path

import pytest
from pydantic import SecretStr

from blocks.errors import HostError, KubeUnavailableError
from blocks.ports import ExecResult
from tasks.database.sql import LOGIN, SqlError, ask_sql, reportable, verify_database
from tasks.engine.finding import FindingsError
from tasks.engine.outcome import Outcome
from tests.fakes.platform import CONFIG, platform
from tests.fakes.world import World

PASSWORD = SecretStr("dbs3cret")
STATEMENT = "ALTER USER 'app'@'%' IDENTIFED BY 's3cret'"
# As MariaDB 10.11's client prints it, on standard error.
REPEATED = f"""--------------
{STATEMENT}
--------------

ERROR 1064 (42000) at line 1: You have an error in your SQL syntax; check the manual that corresponds to your MariaDB \
server version for the right syntax to use near 'IDENTIFED BY 's3cret'' at line 1
"""


def ask(world: World, sql: str = "SELECT 1;") -> str:
    assert world.platform.database is not None
    return ask_sql(world.kube, world.platform.database, "app", PASSWORD, sql)


def verify(world: World, password: SecretStr | None = PASSWORD, *, dry: bool = False) -> Outcome:
    return verify_database.fn(world.run(dry=dry), world.platform, world.kube, password)


def test_statement_and_password_go_over_standard_input_only(world: World) -> None:
    ask(world)

    _, _, argv, stdin = world.kube.execs[0]
    assert not any(word in " ".join(argv) for word in ("dbs3cret", "SELECT"))
    assert stdin == "dbs3cret\nSELECT 1;"


def test_a_query_that_fails_is_reported_with_the_clients_words_and_no_secret(world: World) -> None:
    world.kube.answers["mysql"] = ExecResult(1, "", "ERROR 1045 (28000): Access denied\n")

    with pytest.raises(HostError, match="debug-mysql-client: mysql as app: ERROR 1045") as failed:
        ask(world, "ALTER USER app IDENTIFIED BY 's3cret';")
    assert "s3cret" not in str(failed.value)


@pytest.mark.parametrize(
    "stderr",
    [
        "ERROR 1064 (42000) at line 1: You have an error; see the manual for the syntax near 'BY 's3cret';' at line 1",
        REPEATED,
    ],
    ids=["MySQL", "MariaDB"],
)
def test_a_client_that_repeats_the_statement_is_not_quoted(world: World, stderr: str) -> None:
    world.kube.answers["mysql"] = ExecResult(1, "", stderr)

    with pytest.raises(SqlError, match=r"mysql as app: ERROR 1064 \(42000\)") as failed:
        ask(world, STATEMENT)
    assert "s3cret" not in str(failed.value)
    assert "IDENTIFED" not in str(failed.value)


@pytest.mark.parametrize(
    ("stderr", "words", "code"),
    [
        (REPEATED, "server version for the right syntax to use", 1064),
        ("ERROR 1045 (28000): Access denied for user 'app'@'10.42.0.1'\n", "ERROR 1045 (28000): Access denied", 1045),
        ("mysql: [Warning] something\nERROR 2005 (HY000): Unknown server host 'x' (-2)\n", "ERROR 2005 (HY000): Unk", 2005),
        ("--------------\nSELECT 's3cret'\n--------------\n\nERROR at line 1: Unknown command '\\s'.", "ERROR at line 1: Unkn", 0),
        ("/bin/sh: 1: mysql: not found\n", "/bin/sh: 1: mysql: not found", 0),
        ("/bin/sh: line 1: mysql: command not found\n", "mysql: command not found", 0),
        ("sh: mysql: not found\n", "sh: mysql: not found", 0),
    ],
)
def test_the_errors_own_line_is_reported_with_its_number(stderr: str, words: str, code: int) -> None:
    said, number = reportable(stderr)

    assert words in said
    assert "s3cret" not in said
    assert number == code


def test_words_that_are_not_known_to_be_harmless_are_not_reported(world: World) -> None:
    world.kube.answers["mysql"] = ExecResult(137, "", f"{STATEMENT}\nKilled\n")

    with pytest.raises(SqlError, match=r"mysql as app: exit code 137, and no error that can be reported \[sql-failed\]") as failed:
        ask(world, STATEMENT)
    assert "s3cret" not in str(failed.value)


def test_a_client_that_is_not_there_is_reported_as_such(tmp_path: Path) -> None:
    (tmp_path / "head").symlink_to(shutil.which("head") or "")  # it is there, or two shells complain at a time
    done = subprocess.run(
        ["/bin/sh", "-c", LOGIN.format(size=1, host="h", port=1, user="u", schema="s")],
        input="p\n1", capture_output=True, text=True, check=False, env={"PATH": str(tmp_path)},
    )  # fmt: skip

    assert done.returncode == 127
    assert "mysql: not found" in reportable(done.stderr)[0]


def test_a_client_pod_that_does_not_exist_is_reported_as_such(world: World) -> None:
    world.platform = platform(database={**CONFIG["database"], "client_pod": "gone"})

    with pytest.raises(SqlError, match=r"iottepa/gone: the client pod does not exist: kubectl get pods -n iottepa"):
        ask(world)
    with pytest.raises(FindingsError, match=r"was not answered: iottepa/gone: the client pod does not exist"):
        verify(world)


def test_an_answer_comes_without_its_line_end(world: World) -> None:
    assert ask(world) == "1"


@pytest.mark.parametrize("client", ["mysql", "mariadb"])
@pytest.mark.parametrize("password", [" blanks at both ends ", "back\\slash", "$HOME'\"`", ""])
def test_the_client_gets_password_and_statements_as_they_are(tmp_path: Path, client: str, password: str) -> None:
    for name in ("head", "cat"):
        (tmp_path / name).symlink_to(f"/usr/bin/{name}")
    (tmp_path / client).write_text('#!/bin/sh\nprintf "%s|" "$MYSQL_PWD"\nexec cat\n')
    (tmp_path / client).chmod(0o755)
    sql = "SELECT 'two\nlines';"

    done = subprocess.run(
        ["/bin/sh", "-c", LOGIN.format(size=len(sql), host="h", port=1, user="u", schema="s")],
        input=f"{password}\n{sql}and what is not ours", capture_output=True, text=True, check=True,
        env={"PATH": str(tmp_path)},
    )

    assert done.stdout == f"{password}|{sql}"


def test_the_application_gets_an_answer(world: World) -> None:
    outcome = verify(world)

    assert (outcome.why, outcome.findings) == ("mysql.iottepa answers app", ())
    assert [argv[-1].partition(" -u ")[2] for _, _, argv, _ in world.kube.execs] == ["app -N -B app"]


def test_a_database_that_does_not_answer_the_application_is_refused_with_the_clients_words(world: World) -> None:
    world.kube.answers["mysql"] = ExecResult(1, "", "ERROR 2003 (HY000): Can't connect to MySQL server\n")

    with pytest.raises(FindingsError, match=r"database: SELECT 1 as app at mysql.iottepa was not answered: .*ERROR 2003") as refused:
        verify(world)
    assert str(refused.value).endswith("mysql -h mysql.iottepa -P 3306 -u app -p app [database-not-answering]")


def test_an_api_server_that_is_away_is_asked_again(world: World) -> None:
    world.kube.fail("exec", KubeUnavailableError("no API server answered"))

    with pytest.raises(KubeUnavailableError) as passing:
        verify(world)
    assert passing.value.retryable


def test_without_a_database_there_is_nothing_to_verify(world: World) -> None:
    world.platform = platform(database=None)

    assert verify(world, None).why == "no database is configured"
    assert world.kube.execs == []


def test_a_dry_run_does_not_ask_the_database(world: World) -> None:
    assert verify(world, dry=True).why == "checked: The database answers SELECT 1 to the application's user."
    assert world.kube.execs == []


def test_an_answer_that_is_none_is_no_login(world: World) -> None:
    world.kube.answers["mysql"] = ExecResult(0, "", "")

    with pytest.raises(FindingsError, match=r"mysql as app: SELECT 1 was answered with ''"):
        verify(world)
