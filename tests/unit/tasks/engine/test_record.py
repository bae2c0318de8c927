"""What the world forgets, kept with the platform."""

import json
from pathlib import Path

import pytest

from blocks.errors import RefusedError
from flows.opening import Opening, open_backup, open_migration, open_rollback
from tasks.engine.record import PLAN, PRIVATE, Record, find_newest
from tests.fakes.keys import FakeKeys

IDENTITY = {"etcd": "e7cd", "kubernetes": "ab12"}
PREFIX = "/evenkeel/demo/migrations"


@pytest.fixture
def keys() -> FakeKeys:
    return FakeKeys()


@pytest.fixture
def mirror(folder: Path) -> Path:
    return folder / "new" / "record.json"


def opened(
    keys: FakeKeys,
    mirror: Path,
    *,
    how: Opening = open_migration,
    dry: bool = False,
    identity: object = None,
    machines: tuple[str, ...] = ("vm-1 10.0.0.11", "phys-1 10.0.0.21"),
) -> Record:
    return how(keys, "demo", identity=identity or IDENTITY, machines=[*machines], mirror=mirror, dry_run=dry)


def begun(keys: FakeKeys, migration: str, state: str = "running") -> None:
    keys.put(f"{PREFIX}/{migration}/state", json.dumps({"state": state, "identity": IDENTITY}))


def test_a_new_migration_writes_down_whose_it_is(keys: FakeKeys, mirror: Path) -> None:
    record = opened(keys, mirror)

    state = record.read("state")
    assert state is not None
    assert (state["state"], state["identity"]) == ("running", IDENTITY)


def test_an_unfinished_migration_is_continued(keys: FakeKeys, mirror: Path) -> None:
    begun(keys, "20260101-000000")

    assert opened(keys, mirror).name == "20260101-000000"


def test_a_finished_migration_is_found_finished(keys: FakeKeys, mirror: Path) -> None:
    opened(keys, mirror).finish()

    assert opened(keys, mirror).finished


def test_other_machines_after_a_finished_migration_begin_a_new_one(keys: FakeKeys, mirror: Path) -> None:
    first = opened(keys, mirror)
    first.write("backup", {"name": "old.tgz"})
    first.finish()

    second = opened(keys, mirror, machines=("phys-1 10.0.0.21", "phys-7 10.0.0.27"))

    assert second.name != first.name
    assert second.read("backup") is None


def test_other_machines_in_the_midst_of_a_migration_continue_it(keys: FakeKeys, mirror: Path) -> None:
    first = opened(keys, mirror)

    assert opened(keys, mirror, machines=("vm-1 10.0.0.11",)).name == first.name


def test_finishing_twice_keeps_the_first_end(keys: FakeKeys, mirror: Path) -> None:
    record = opened(keys, mirror)
    record.finish()
    first = record.read("state")
    record.finish()

    assert record.read("state") == first


def test_the_newest_migration_counts(keys: FakeKeys) -> None:
    begun(keys, "20260101-000000", "finished")
    begun(keys, "20260301-000000")
    begun(keys, "20260201-000000", "finished")

    assert find_newest(keys, "demo") == ("20260301-000000", {"state": "running", "identity": IDENTITY})


def test_another_platforms_migration_does_not_count(keys: FakeKeys) -> None:
    keys.put("/evenkeel/demo2/migrations/20260101-000000/state", "{}")

    assert find_newest(keys, "demo") is None


def test_another_cluster_behind_the_same_addresses_is_refused(keys: FakeKeys, mirror: Path) -> None:
    opened(keys, mirror)

    with pytest.raises(RefusedError, match="some address leads to another platform"):
        opened(keys, mirror, identity={**IDENTITY, "etcd": "0ther"})


def test_a_dry_run_writes_nothing(keys: FakeKeys, mirror: Path) -> None:
    opened(keys, mirror, dry=True)

    assert keys.mutations == []


def test_facts_are_found_below_a_name(keys: FakeKeys, mirror: Path) -> None:
    record = opened(keys, mirror)
    record.write("images/old/phys-1", {"n": 1})
    record.write("images/old/phys-10", {"n": 10})
    record.write("images/older", {"n": 0})

    assert record.below("images/old") == {"phys-1": {"n": 1}, "phys-10": {"n": 10}}
    assert record.read("images/none") is None


def test_a_local_mirror_has_everything(keys: FakeKeys, mirror: Path) -> None:
    record = opened(keys, mirror)
    record.write("backup", {"name": "a.tgz"})

    mirrored = json.loads(mirror.read_text())
    assert mirrored["backup"] == {"name": "a.tgz"}
    assert mirrored["state"]["state"] == "running"


def test_what_is_private_to_the_platform_does_not_leave_its_etcd(keys: FakeKeys, mirror: Path) -> None:
    record = opened(keys, mirror)
    record.write(f"{PRIVATE}/bare-pods/shop/client", {"manifest": {"env": "pa55word"}})

    assert record.below(f"{PRIVATE}/bare-pods") == {"shop/client": {"manifest": {"env": "pa55word"}}}
    assert "pa55word" not in mirror.read_text()


def test_every_backup_has_a_record_of_its_own(keys: FakeKeys, mirror: Path) -> None:
    keys.put("/evenkeel/demo/backups/20260101-000000/state", json.dumps({"state": "running", "identity": IDENTITY}))

    assert opened(keys, mirror, how=open_backup).name != "20260101-000000"


def test_an_unfinished_rollback_is_continued(keys: FakeKeys, mirror: Path) -> None:
    keys.put("/evenkeel/demo/rollbacks/20260101-000000/state", json.dumps({"state": "running", "identity": IDENTITY}))

    assert opened(keys, mirror, how=open_rollback).name == "20260101-000000"


def test_after_a_finished_rollback_comes_a_new_one(keys: FakeKeys, mirror: Path) -> None:
    keys.put("/evenkeel/demo/rollbacks/20260101-000000/state", json.dumps({"state": "finished", "identity": IDENTITY}))

    assert opened(keys, mirror, how=open_rollback).name != "20260101-000000"


@pytest.mark.parametrize("how", [open_migration, open_backup])
def test_nothing_else_begins_while_a_rollback_is_unfinished(keys: FakeKeys, mirror: Path, how: Opening) -> None:
    rollback = opened(keys, mirror, how=open_rollback)
    rollback.write(PLAN, {"asked": {}})

    with pytest.raises(RefusedError, match="is unfinished, its writers may have no pods: run the rollback again"):
        opened(keys, mirror, how=how)
    rollback.finish()
    opened(keys, mirror, how=how)


@pytest.mark.parametrize("how", [open_migration, open_backup])
def test_a_rollback_that_was_never_approved_is_in_nobodys_way(keys: FakeKeys, mirror: Path, how: Opening) -> None:
    opened(keys, mirror, how=open_rollback)

    opened(keys, mirror, how=how)
