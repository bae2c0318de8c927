"""What the world forgets, kept with the platform."""

import json
from pathlib import Path

import pytest

from blocks.errors import RefusedError
from flows.opening import Opening, open_backup, open_migration, open_rollback
from flows.rollback_plan import plan_of
from tasks.engine.record import BACKUPS, PLAN, PRIVATE, ROLLBACKS, Facts, Record, find_newest, names_of
from tests.fakes.keys import FakeKeys
from tests.fakes.world import World
from tests.flows.sessions import session_on

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


def test_records_are_listed_newest_first_without_their_values(keys: FakeKeys) -> None:
    begun(keys, "20260101-000000")
    begun(keys, "20260201-000000")
    keys.put(f"{PREFIX}/20260201-000000/backup", "{}")

    assert names_of(keys, "demo", "migrations") == ["20260201-000000", "20260101-000000"]
    assert names_of(keys, "demo", "migrations", "backup") == ["20260201-000000"]
    assert keys.values_read == []


def test_the_newest_record_is_found_by_reading_one_state(keys: FakeKeys) -> None:
    for day in range(10, 28):
        begun(keys, f"202601{day}-000000", "finished")

    find_newest(keys, "demo")

    assert keys.values_read == [f"{PREFIX}/20260127-000000/state"]


def test_a_finished_record_keeps_its_facts_and_drops_its_intents(keys: FakeKeys, mirror: Path) -> None:
    record = opened(keys, mirror)
    record.write("backup", {"name": "a.tgz"})
    record.fulfil(record.intend("vm-1", "stopping k3s"))
    assert [fact["doing"] for fact in record.below("acts").values()] == ["stopping k3s"]

    record.finish()

    assert record.below("acts") == {}
    assert record.read("backup") == {"name": "a.tgz"}


def test_the_mirror_keeps_the_intents_of_a_finished_record(keys: FakeKeys, mirror: Path) -> None:
    record = opened(keys, mirror)
    record.fulfil(record.intend("vm-1", "stopping k3s"))
    record.finish()

    mirrored = json.loads(mirror.read_text())
    assert mirrored["state"]["state"] == "finished"
    assert [fact["doing"] for name, fact in mirrored.items() if name.startswith("acts/")] == ["stopping k3s"]


def test_a_run_that_was_killed_while_it_finished_leaves_no_intents_to_the_next(keys: FakeKeys, mirror: Path) -> None:
    record = opened(keys, mirror)
    record.intend("vm-1", "stopping k3s")
    keys.fail("delete", ConnectionError("killed"))
    with pytest.raises(ConnectionError):
        record.finish()

    opened(keys, mirror).finish()

    assert record.below("acts") == {}


def test_a_record_that_is_forgotten_leaves_others_whole(keys: FakeKeys) -> None:
    begun(keys, "20260101")
    begun(keys, "20260101-1")

    Record(keys, "demo", "20260101").forget()

    assert names_of(keys, "demo", "migrations") == ["20260101-1"]


def nightly_backups(keys: FakeKeys, count: int) -> None:
    for night in range(count):
        record = Record(keys, "demo", f"2025{night:04}-020000", kind=BACKUPS)
        record.write("state", {"state": "finished", "identity": IDENTITY})
        record.write("backup", {"name": f"tidb-backup-2025{night:04}.tar.gz", "size": 1, "sha256": "0" * 64})
        record.write("images/new", {"workloads": {"Deployment shop/web": {"main": f"app/web:{night}"}}})


def planned(world: World, what: str, backup: str | None = None) -> Facts:
    """A rollback's plan; what it read of the records is left in the keys' `values_read`."""
    session = session_on(world)
    session.record = Record(world.keys, "demo", "20260103", kind=ROLLBACKS)
    world.keys.values_read.clear()
    return plan_of(session, {"what": what, "backup": backup, "images": "new", "image_map": None})


def test_a_rollback_reads_a_few_values_of_400_nightly_backups(world: World) -> None:
    nightly_backups(world.keys, 400)

    plan = planned(world, "both")

    assert plan["backup"]["name"] == "tidb-backup-20250399.tar.gz"
    assert plan["images"] == {"Deployment shop/web": {"main": "app/web:399"}}
    assert len(world.keys.values_read) <= 3


def test_a_named_backup_is_looked_for_newest_first_without_reading_any_images(world: World) -> None:
    nightly_backups(world.keys, 400)

    assert planned(world, "data", "tidb-backup-20250390")["backup"]["size"] == 1
    assert len(world.keys.values_read) <= 11
    assert not [key for key in world.keys.values_read if "images" in key]


def test_the_last_migrations_backup_comes_before_newer_nightly_ones(world: World) -> None:
    nightly_backups(world.keys, 3)
    world.record.write("backup", {"name": "tidb-backup-20240101.tar.gz", "size": 1, "sha256": "0" * 64})

    assert planned(world, "data")["backup"]["name"] == "tidb-backup-20240101.tar.gz"


def test_a_record_without_a_backup_is_passed_over(world: World) -> None:
    nightly_backups(world.keys, 2)
    begun(world.keys, "20990101-000000")

    assert planned(world, "both")["images"] == {"Deployment shop/web": {"main": "app/web:1"}}
