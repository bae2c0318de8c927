"""The flow `preflight`: all checks by themselves, which read only."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from configs.platform import Platform
from flows import preflight
from flows.opening import Opening
from flows.report import reported
from flows.session import Session, current
from tasks.engine.finding import FindingsError
from tests.fakes.platform import config
from tests.fakes.world import World
from tests.flows.sessions import session_on


@pytest.fixture
def written(world: World, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The path of a config; a session that it opens is one on the fake world."""

    @contextmanager
    def opened(platform: Platform, flow: str, *, opening: Opening, dry_run: bool, success: str) -> Iterator[Session]:
        session = session_on(world, dry=dry_run, opening=opening)
        report = session.run.journal.report
        report.flow, report.success = flow, success
        with reported(session.run.journal), current(session):
            yield session

    monkeypatch.setattr(preflight, "open_session", opened)
    path = world.folder / "demo.yaml"
    path.write_text(yaml.safe_dump(config(http_checks=[])))
    return path


def report_of(world: World) -> Path:
    (path,) = (world.folder / "reports").glob("*/report.json")
    return path


def test_it_reports_what_every_check_found_and_how_long_it_took(world: World, written: Path) -> None:
    preflight.preflight(str(written))

    report = json.loads(report_of(world).read_text())
    assert (report["flow"], report["outcome"]) == ("preflight", "passed")
    assert {entry["outcome"] for entry in report["entries"]} == {"unchanged"}
    assert {"check machine", "check routes", "check etcd", "check workloads", "check placement", "check VIP"} <= {
        entry["step"] for entry in report["entries"]
    }
    assert "| check etcd | demo | unchanged | " in report_of(world).with_name("report.md").read_text()


def test_it_changes_nothing_not_even_the_record(world: World, written: Path) -> None:
    before = world.keys.items("/")

    preflight.preflight(str(written))

    assert world.mutations == []
    assert world.keys.items("/") == before
    assert not (world.folder / "mirror").exists()


def test_it_fails_with_all_refusals_together(world: World, written: Path) -> None:
    world.hosts["phys-1"].tell("uid", "1000")
    world.etcd.down = {"vm-2"}

    with pytest.raises(FindingsError, match=r"(?s)\[etcd-voters-silent\].*\[host-not-root\]"):
        preflight.preflight(str(written))

    report = json.loads(report_of(world).read_text())
    assert report["outcome"] == "failed"
    assert "[host-not-root]" in report["error"]
