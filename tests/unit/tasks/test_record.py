"""What the world forgets, kept with the platform."""

import json
from pathlib import Path

import pytest

from configs.errors import RefusedError
from tasks.record import Record, find_migration, open_record
from tests.fakes.keys import FakeKeys

IDENTITY = {"etcd": "e7cd", "kubernetes": "ab12"}
PREFIX = "/evenkeel/demo/migrations"


@pytest.fixture
def keys() -> FakeKeys:
    return FakeKeys()


def opened(keys: FakeKeys, *, mirror: Path | None = None, dry: bool = False, identity: object = None) -> Record:
    return open_record(keys, "demo", identity=identity or IDENTITY, mirror=mirror, dry_run=dry)  # type: ignore[arg-type]


def begun(keys: FakeKeys, migration: str, state: str = "running") -> None:
    keys.put(f"{PREFIX}/{migration}/state", json.dumps({"state": state, "identity": IDENTITY}))


def test_a_new_migration_writes_down_whose_it_is(keys: FakeKeys) -> None:
    record = opened(keys)

    state = record.read("state")
    assert state is not None
    assert (state["state"], state["identity"]) == ("running", IDENTITY)


def test_an_unfinished_migration_is_continued(keys: FakeKeys) -> None:
    begun(keys, "20260101-000000")

    assert opened(keys).migration == "20260101-000000"


def test_a_finished_migration_is_found_finished(keys: FakeKeys) -> None:
    opened(keys).finish()

    assert opened(keys).finished


def test_finishing_twice_keeps_the_first_end(keys: FakeKeys) -> None:
    record = opened(keys)
    record.finish()
    first = record.read("state")
    record.finish()

    assert record.read("state") == first


def test_the_newest_migration_counts(keys: FakeKeys) -> None:
    begun(keys, "20260101-000000", "finished")
    begun(keys, "20260301-000000")
    begun(keys, "20260201-000000", "finished")

    assert find_migration(keys, "demo") == ("20260301-000000", {"state": "running", "identity": IDENTITY})


def test_another_platforms_migration_does_not_count(keys: FakeKeys) -> None:
    keys.put("/evenkeel/demo2/migrations/20260101-000000/state", "{}")

    assert find_migration(keys, "demo") is None


def test_another_cluster_behind_the_same_addresses_is_refused(keys: FakeKeys) -> None:
    opened(keys)

    with pytest.raises(RefusedError, match="some address leads to another platform"):
        opened(keys, identity={**IDENTITY, "etcd": "0ther"})


def test_a_dry_run_writes_nothing(keys: FakeKeys) -> None:
    opened(keys, dry=True)

    assert keys.mutations == []


def test_facts_are_found_below_a_name(keys: FakeKeys) -> None:
    record = opened(keys)
    record.write("images/old/phys-1", {"n": 1})
    record.write("images/old/phys-10", {"n": 10})
    record.write("images/older", {"n": 0})

    assert record.below("images/old") == {"phys-1": {"n": 1}, "phys-10": {"n": 10}}
    assert record.read("images/none") is None


def test_a_local_mirror_has_everything(keys: FakeKeys, folder: Path) -> None:
    record = opened(keys, mirror=folder / "new" / "record.json")
    record.write("backup", {"name": "a.tgz"})

    mirrored = json.loads((folder / "new" / "record.json").read_text())
    assert mirrored["backup"] == {"name": "a.tgz"}
    assert mirrored["state"]["state"] == "running"
