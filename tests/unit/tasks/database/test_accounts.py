"""After a restore users, passwords and the time zone are as configured; no secret is told on the way."""

import pytest
from pydantic import SecretStr

from blocks.errors import RefusedError
from tasks.database.accounts import check_database, ensure_accounts, same_zone
from tasks.engine.outcome import Change, Outcome
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
    with pytest.raises(RefusedError, match=r"root can't log in at mysql.iottepa with what environment variable") as told:
        check(world, "wr0ng")
    assert "wr0ng" not in str(told.value)
    assert world.mutations == []


def test_a_root_without_a_password_is_right_only_after_a_restore_of_ours(world: World) -> None:
    world.database.restored("a backup")

    with pytest.raises(RefusedError):
        check(world, "r00ts3cret")
    assert check(world, "r00ts3cret", restored=True).change is Change.UNCHANGED


def test_everybody_logs_in_with_the_configured_password_afterwards(world: World) -> None:
    world.database.restored("a backup")

    set_up(world)

    assert world.database.passwords == {"root": "r00ts3cret", "app": "dbs3cret"}
    assert world.database.time_zone == "+8:00"


def test_what_is_wrong_is_named(world: World) -> None:
    world.database.passwords["app"] = "another"

    assert set_up(world, dry=True).why == "set: user app"


def test_a_password_with_quotes_and_backslashes_is_one_literal(world: World) -> None:
    world.database_password = SecretStr("it's 'quoted'")
    world.database.restored("a backup")

    set_up(world)

    assert world.database.passwords["app"] == "it's 'quoted'"


def test_no_password_is_in_an_argument(world: World) -> None:
    world.database.restored("a backup")
    set_up(world)

    told = " ".join(word for _, _, argv, _ in world.kube.execs for word in argv)
    assert "s3cret" not in told


@pytest.mark.parametrize(
    ("found", "wanted", "same"),
    [("+08:00", "+8:00", True), ("+08:00", "+08:00", True), ("SYSTEM", "+8:00", False), ("-08:00", "+8:00", False)],
)
def test_servers_pad_the_zone(found: str, wanted: str, same: bool) -> None:
    assert same_zone(found, wanted) is same
