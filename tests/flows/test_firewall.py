"""A target's firewalld is opened before anything is uninstalled there, and the way to it is tried from all other machines then."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows.bring_in import prepare_machines
from flows.preflight import preflight_migration
from flows.session import Session
from tasks.engine.finding import FindingsError
from tasks.engine.journal import Report
from tests.fakes import machines
from tests.fakes.clock import FakeTime
from tests.fakes.platform import platform
from tests.fakes.world import World
from tests.flows.sessions import perform


@pytest.fixture
def world(folder: Path, time: FakeTime) -> World:
    world = World(folder, time, platform(http_checks=[], firewall="open"))
    machines.run_firewalld(world.hosts["phys-1"])
    world.forget()
    return world


def prepare(session: Session) -> None:
    prepare_machines(session, session.platform.targets[:1])
    session.all_done([*session.prepared.values(), *session.loaded.values()])


def steps(report: Report) -> list[tuple[str, str]]:
    return [(entry.step, entry.target) for entry in report.entries if entry.step in ("open firewall", "check routes", "uninstall old k3s")]


def test_it_is_opened_and_tried_before_the_uninstall(world: World) -> None:
    report = perform(prepare, world)

    order = steps(report)
    assert order[0] == ("open firewall", "phys-1")
    assert order[-1] == ("uninstall old k3s", "phys-1")
    assert sorted(target for step, target in order if step == "check routes") == ["phys-2", "phys-3", "vm-1", "vm-2"]


def test_a_dry_run_tries_nothing_that_is_not_open_yet(world: World) -> None:
    report = perform(prepare, world, dry=True)

    assert [step for step, _ in steps(report)] == ["open firewall", "uninstall old k3s"]
    assert world.mutations == []


def test_another_firewall_in_between_stops_the_run_before_the_uninstall(world: World) -> None:
    world.hosts["vm-1"].tell("unreachable", "10.0.0.21 2380 silent")

    with pytest.raises(FindingsError, match="port-silent"):
        perform(prepare, world)
    assert world.hosts["phys-1"].unit_state("k3s") == ("active", "enabled")


def test_preflight_passes_although_its_ports_are_still_closed(world: World) -> None:
    world.hosts["vm-1"].tell("unreachable", "10.0.0.21 2380 No route to host")
    world.hears_no_adverts.add("phys-1")
    world._elect()

    report = perform(preflight_migration, world)

    found = {(finding.id, finding.where) for finding in report.findings}
    assert {("firewall-opens", "phys-1"), ("firewall-opens-later", "vm-1"), ("firewall-opens-later", "phys-1")} <= found


def test_without_open_preflight_refuses_with_the_line_to_type(world: World) -> None:
    world.platform = platform(http_checks=[])

    with pytest.raises(FindingsError, match=r"firewall-cmd \$p --zone=public --add-port=10250/tcp"):
        perform(preflight_migration, world)
