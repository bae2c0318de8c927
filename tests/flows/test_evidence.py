"""What a report says of the world at both ends of a run."""

from __future__ import annotations

import pytest

from blocks.errors import EtcdUnavailableError
from flows.evidence import setting_of, witnessed
from tasks.database.archive import BACKUP
from tests.fakes.platform import platform
from tests.fakes.world import World
from tests.flows.sessions import session_on


def test_a_run_reports_the_world_before_and_after_it_and_its_backup(world: World) -> None:
    session = session_on(world)
    with witnessed(session):
        world.has_voters("phys-1")
        world.record.write(BACKUP, {"name": "tidb-backup-1.tar.gz"})

    report = session.run.journal.report
    assert (report.before["voters"], report.after["voters"]) == (["vm-1", "vm-2"], ["vm-1", "vm-2", "phys-1"])
    assert report.before["nodes"] == ["vm-1", "vm-2"]
    assert "Deployment shop/web" in report.before["images"]
    assert report.backup == {"name": "tidb-backup-1.tar.gz"}


def test_a_run_that_fails_reports_what_it_has_left(world: World) -> None:
    session = session_on(world)
    with pytest.raises(ValueError, match="broken"), witnessed(session):
        world.has_voters("phys-1")
        raise ValueError("broken")

    assert session.run.journal.report.after["voters"] == ["vm-1", "vm-2", "phys-1"]


def test_a_run_that_is_stopped_from_outside_asks_nothing_more(world: World) -> None:
    session = session_on(world)
    with pytest.raises(SystemExit), witnessed(session):
        raise SystemExit(1)

    assert session.run.journal.report.after == {}


def test_an_etcd_that_does_not_answer_stops_no_run(world: World) -> None:
    world.etcd.fail("members", EtcdUnavailableError("no member answers"))
    session = session_on(world)
    with witnessed(session):
        pass

    assert (session.run.journal.report.before, session.run.journal.report.after) == ({}, {})


def test_the_identity_of_a_config_is_that_of_what_its_operator_has_written() -> None:
    assert setting_of(platform())["config"] == setting_of(platform(gates=[]))["config"]
    assert setting_of(platform())["config"] != setting_of(platform(gates=["drain"]))["config"]
