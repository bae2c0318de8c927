"""A backup on fakes: planned, taken, taken again, and one that only seems to succeed."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from blocks.errors import VerificationError
from flows.backup import helm_host, take_backup, way_back
from flows.opening import open_backup
from flows.session import Session
from tasks.database.archive import BACKUP
from tasks.engine import waiting
from tasks.engine.journal import Report
from tasks.engine.record import BACKUPS, Facts, Record, names_of
from tasks.images.record import NEW
from tests.conftest import MEMORY
from tests.fakes.clock import FakeTime
from tests.fakes.platform import CONFIG, platform
from tests.fakes.world import World
from tests.flows.sessions import perform, session_on


@dataclass
class Story:
    """What a dry run, two backups and a failing one have done, one after the other."""

    world: World
    planned: Report
    changed_by_plan: list[str]
    first: Report
    second: Report
    broken: str

    @property
    def records(self) -> list[Record]:
        """Of the two that were taken, then of the one that failed."""
        keys, name = self.world.keys, self.world.platform.name
        return [Record(keys, name, record, kind=BACKUPS) for record in sorted(names_of(keys, name, BACKUPS))]

    def taken(self, number: int) -> Facts:
        return self.records[number].read(BACKUP) or {}


@pytest.fixture(scope="module")
def story() -> Iterator[Story]:
    time = FakeTime()
    token = waiting.clock.set(waiting.Clock(time.now, time.sleep))
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        yield run_all(World(Path(folder), time, platform(http_checks=[], targets=CONFIG["targets"][1:])))
    waiting.clock.reset(token)


def run_all(world: World) -> Story:
    planned = perform(take_backup, world, dry=True, opening=open_backup)
    by_plan = list(world.mutations)
    first, second = (perform(take_and_finish, world, opening=open_backup) for _ in range(2))
    world.backups.spoil = "truncated"
    with pytest.raises(VerificationError) as broken:
        perform(take_and_finish, world, opening=open_backup)
    return Story(world, planned, by_plan, first, second, str(broken.value))


def take_and_finish(session: Session) -> None:
    take_backup(session)
    session.record.finish()


def test_a_plan_changes_nothing_and_needs_no_backup_ctl(story: Story) -> None:
    assert story.changed_by_plan == []
    assert [entry.step for entry in story.planned.entries if entry.outcome != "planned"] == ["expire backups"]  # which only lists them


def test_backup_ctl_comes_first_and_expired_archives_last(story: Story) -> None:
    assert [(entry.step, entry.target, entry.outcome) for entry in story.first.entries] == [
        ("install backup-ctl", "vm-1", "changed"),
        ("patch TiDB for BR", "demo", "changed"),
        ("backup", "demo", "changed"),
        ("record new images", "demo", "changed"),
        ("expire backups", "vm-1", "unchanged"),
        ("expire backup records", "demo", "unchanged"),
    ]


def test_a_second_backup_installs_nothing_and_is_taken_all_the_same(story: Story) -> None:
    changed = [entry.step for entry in story.second.entries if entry.outcome == "changed"]

    assert changed == ["backup", "record new images"]


def test_every_backup_is_in_a_record_of_its_own(story: Story) -> None:
    assert story.taken(0)["name"] != story.taken(1)["name"]
    assert [record.finished for record in story.records] == [True, True, False]
    assert (story.records[1].read(NEW) or {})["workloads"]["Deployment shop/web"] == {"main": "app/web:2.0"}


def test_a_backup_that_only_seems_to_succeed_is_not_recorded(story: Story) -> None:
    assert "vm-1: backup-and-save reported success, but /mnt/uap-global/backup/tidb-backup-" in story.broken
    assert story.taken(2) == {}


def test_nothing_else_was_touched(story: Story) -> None:
    touched = [mutation for mutation in story.world.mutations if not mutation.startswith("put /evenkeel/demo/")]

    assert sorted(touched) == ["patch TiDB", *3 * ["take a backup"], "vm-1: helm upgrade --install"]


def test_no_secret_is_in_any_report(story: Story) -> None:
    texts = [path.read_text() for path in (story.world.folder / "reports").rglob("*.json")]

    assert len(texts) == 4
    assert not any("s3cret" in text for text in texts)


def test_the_last_migrations_archive_is_the_way_back(world: World) -> None:
    assert way_back(session_on(world)) == set()

    world.record.write(BACKUP, {"name": "tidb-backup-20260101.tar.gz"})

    assert way_back(session_on(world)) == {"tidb-backup-20260101.tar.gz"}


@pytest.mark.parametrize(
    ("configured", "host"), [(None, "vm-1"), ("vm-2", "vm-2"), ("phys-1", "vm-1")], ids=["none", "a node", "no node yet"]
)
def test_helm_runs_on_the_configured_machine_while_it_is_a_node(world: World, configured: str | None, host: str) -> None:
    world.platform = platform(backup={**CONFIG["backup"], "helm_host": configured})

    assert helm_host(session_on(world)) == host


def test_helm_does_not_run_on_a_machine_that_is_not_ready(world: World) -> None:
    world.platform = platform(backup={**CONFIG["backup"], "helm_host": "vm-2"})
    world.kube.stops("vm-2")

    assert helm_host(session_on(world)) == "vm-1"


def test_helm_is_not_asked_where_k3s_has_just_been_stopped_and_the_node_still_counts_as_ready(world: World) -> None:
    world.platform = platform(backup={**CONFIG["backup"], "helm_host": "vm-2"})
    session = session_on(world)
    world.hosts["vm-2"].unit("k3s", "inactive", "disabled")

    assert helm_host(session) == "vm-1"
