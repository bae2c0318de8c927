"""After a restore users, passwords and the time zone are as configured; no secret is reported on the way."""

import pytest
from pydantic import SecretStr

from blocks.errors import DeadlineExceededError, HostError
from blocks.ports import ExecResult
from tasks.database.accounts import check_database, ensure_accounts, init_sql, same_zone
from tasks.database.sql import SqlError
from tasks.engine.finding import FindingsError
from tasks.engine.outcome import Change, Outcome
from tests.fakes.database import DENIED
from tests.fakes.platform import CONFIG, platform
from tests.fakes.world import World


def check(world: World, root: str, *, restored: bool = False) -> Outcome:
    database = world.platform.database
    assert database is not None
    return check_database.fn(world.run(), world.platform, database, world.kube, SecretStr(root), restored=restored)


def set_up(world: World, *, dry: bool = False) -> Outcome:
    database = world.platform.database
    assert database is not None
    secrets = (world.root_password, world.database_password)
    return ensure_accounts.fn(world.run(dry=dry), world.platform, database, world.kube, *secrets)


def test_a_wrong_root_password_is_refused_before_anything_is_touched(world: World) -> None:
    with pytest.raises(FindingsError, match=r"database: root can't log in at mysql.iottepa with what environment variable") as refused:
        check(world, "wr0ng")

    assert "ERROR 1045 (28000): Access denied" in str(refused.value)
    assert str(refused.value).endswith(" -u root -p mysql [database-root-denied]")
    assert "wr0ng" not in str(refused.value)
    assert refused.value.findings[0].final
    assert world.mutations == []


@pytest.mark.parametrize(
    ("exit_code", "said"),
    [
        (1, "ERROR 1049 (42000): Unknown database 'mysql'"),
        (1, "ERROR 2002 (HY000): Can't connect to server on 'mysql.iottepa' (115)"),
        (1, "ERROR 2003 (HY000): Can't connect to MySQL server on 'mysql.iottepa' (111)"),
        (1, "ERROR 2005 (HY000): Unknown server host 'mysql.iottepa' (-2)"),
        (127, "/bin/sh: 1: mysql: not found"),
    ],
    ids=lambda value: str(value)[:14],
)
def test_what_is_no_wrong_password_is_refused_with_the_clients_words(world: World, exit_code: int, said: str) -> None:
    world.kube.answers["mysql"] = ExecResult(exit_code, "", f"{said}\n")

    with pytest.raises(FindingsError, match=r"not because of its password: .*\[database-client-failed\]") as refused:
        check(world, "r00ts3cret", restored=True)
    assert said in str(refused.value)


def test_a_client_pod_that_does_not_exist_is_no_wrong_password(world: World) -> None:
    world.platform = platform(database={**CONFIG["database"], "client_pod": "gone"})

    with pytest.raises(FindingsError, match=r"not because of its password: iottepa/gone: the client pod does not exist") as refused:
        check(world, "r00ts3cret")
    assert [finding.id for finding in refused.value.findings] == ["database-client-failed"]


def test_a_root_without_a_password_is_right_only_after_a_restore_of_ours(world: World) -> None:
    world.database.restored("a backup")

    with pytest.raises(FindingsError, match="database-root-denied"):
        check(world, "r00ts3cret")
    assert check(world, "r00ts3cret", restored=True).change is Change.UNCHANGED


def test_the_configured_root_logs_in(world: World) -> None:
    outcome = check(world, "r00ts3cret")

    assert (outcome.why, outcome.findings) == ("root logs in at mysql.iottepa", ())


def test_everybody_logs_in_with_the_configured_password_afterwards(world: World) -> None:
    world.database.restored("a backup")

    set_up(world)

    assert world.database.passwords == {"root": "r00ts3cret", "app": "dbs3cret"}
    assert world.database.time_zone == "+8:00"


def test_what_is_wrong_is_named(world: World) -> None:
    world.database.passwords["app"] = "another"

    assert set_up(world, dry=True).why == "set: user app"


@pytest.mark.parametrize("escape", [True, False], ids=["default sql_mode", "NO_BACKSLASH_ESCAPES"])
def test_a_password_with_quotes_and_backslashes_is_one_literal(world: World, escape: bool) -> None:
    world.database_password = SecretStr(r"it's 'quoted' \ twice \\")
    world.database.backslashes_escape = escape
    world.database.restored("a backup")

    set_up(world)

    assert world.database.passwords["app"] == r"it's 'quoted' \ twice \\"


def test_the_sql_mode_is_set_before_any_password(world: World) -> None:
    assert world.platform.database is not None
    statements = init_sql(world.platform.database, SecretStr("r00t"), SecretStr("app"))

    assert statements.splitlines()[0] == "SET SESSION sql_mode = '';"


def test_a_database_that_cannot_be_reached_is_no_wrong_password(world: World) -> None:
    world.kube.answers["mysql"] = ExecResult(1, "", "ERROR 2003 (HY000): Can't connect to MySQL server\n")

    with pytest.raises(SqlError, match="ERROR 2003"):
        set_up(world)
    assert world.mutations == []


def test_a_statement_that_fails_is_not_reported_with_its_password(world: World) -> None:
    world.database.restored("a backup")

    def repeats(argv: list[str], stdin: str) -> ExecResult:
        statement = next((line for line in stdin.splitlines() if line.startswith("ALTER USER")), None)
        if statement is None:
            return world.database.ask(argv, stdin)
        error = "ERROR 1396 (HY000) at line 3: Operation ALTER USER failed for 'app'@'%'"
        return ExecResult(1, "", f"--------------\n{statement}\n--------------\n\n{error}\n")

    world.kube.programs["mysql"] = repeats

    with pytest.raises(HostError, match="mysql as root: ERROR 1396") as failed:
        set_up(world)
    assert "s3cret" not in str(failed.value)


def test_statements_that_change_nothing_fail_loudly(world: World) -> None:
    world.database.restored("a backup")
    accepts = ExecResult(0, "", "")
    world.kube.programs["mysql"] = lambda argv, stdin: accepts if "ALTER USER" in stdin else world.database.ask(argv, stdin)

    with pytest.raises(DeadlineExceededError, match=r"but not: root's password, user app, time zone: look at mysql.user") as late:
        set_up(world)
    assert late.value.id == "database-accounts-wrong"


def test_a_server_that_has_not_loaded_the_new_users_yet_is_asked_again(world: World) -> None:
    world.database.restored("a backup")
    late = iter([DENIED] * 4)

    def answers(argv: list[str], stdin: str) -> ExecResult:
        set_already = world.database.passwords.get("root") == "r00ts3cret"
        return next(late, None) if set_already and stdin.endswith("SELECT 1;") else world.database.ask(argv, stdin)

    world.kube.programs["mysql"] = lambda argv, stdin: answers(argv, stdin) or world.database.ask(argv, stdin)

    assert set_up(world).change is Change.CHANGED
    assert next(late, None) is None


def test_no_password_is_in_an_argument(world: World) -> None:
    world.database.restored("a backup")
    set_up(world)

    arguments = " ".join(word for _, _, argv, _ in world.kube.execs for word in argv)
    assert "s3cret" not in arguments


@pytest.mark.parametrize(
    ("found", "expected", "same"),
    [("+08:00", "+8:00", True), ("+08:00", "+08:00", True), ("SYSTEM", "+8:00", False), ("-08:00", "+8:00", False)],
)
def test_servers_pad_the_zone(found: str, expected: str, same: bool) -> None:
    assert same_zone(found, expected) is same
