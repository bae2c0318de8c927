"""The client probe samples from a run's first change to its last, and a run stops when clients get no answer for too long."""

from __future__ import annotations

import pytest

from blocks.errors import RefusedError
from flows.clients import watched
from flows.session import Session
from tasks.machine.hosts import ensure_hosts_file
from tasks.report.interruption import InterruptionError
from tests.fakes.world import World
from tests.flows.sessions import perform


def one_change(session: Session, *, enforced: bool = True) -> None:
    with watched(session, enforced=enforced):
        session.all_done([session.submit(ensure_hosts_file, session.hosts["vm-1"], session.platform)])


def two_changes(session: Session, *, enforced: bool = True) -> None:
    with watched(session, enforced=enforced):
        session.all_done([session.submit(ensure_hosts_file, session.hosts["vm-1"], session.platform)])
        session.probe.time_passes()  # type: ignore[attr-defined]
        session.all_done([session.submit(ensure_hosts_file, session.hosts["vm-2"], session.platform)])


def unenforced(session: Session) -> None:
    two_changes(session, enforced=False)


def test_what_clients_noticed_is_in_the_report_and_drawn(world: World) -> None:
    report = perform(one_change, world)

    assert [one["series"] for one in report.interruptions] == ["api", "etcd"]
    assert (world.probe.starts, world.probe.stops) == (1, 1)
    assert len(list(world.folder.glob("reports/*/clients.svg"))) == 1


def test_a_run_that_changes_nothing_starts_no_probe(world: World) -> None:
    perform(one_change, world)
    report = perform(one_change, world)

    assert world.probe.starts == 1
    assert report.interruptions == []


def test_a_dry_run_starts_no_probe(world: World) -> None:
    perform(one_change, world, dry=True)

    assert world.probe.starts == 0


def test_the_next_change_is_refused_after_clients_have_waited(world: World) -> None:
    world.probe.later["etcd"] = 30
    with pytest.raises(InterruptionError, match=r"clients: etcd: no answer for 3\d"):
        perform(two_changes, world)

    assert [mutation.partition(":")[0] for mutation in world.mutations if "hosts" in mutation] == ["vm-1"]


def test_the_same_command_continues(world: World) -> None:
    world.probe.later["etcd"] = 30
    with pytest.raises(InterruptionError):
        perform(two_changes, world)

    perform(two_changes, world)


def test_a_run_can_ignore_interruptions_and_reports_them_all_the_same(world: World) -> None:
    world.probe.later["etcd"] = 30
    report = perform(unenforced, world)

    assert [one["gaps"][0]["seconds"] for one in report.interruptions if one["gaps"]] == [pytest.approx(30, abs=2)]


def with_a_pause(session: Session) -> None:
    """Clients wait while nothing acts, as during a gate; they get answers again before the next change."""
    with watched(session, enforced=True):
        session.all_done([session.submit(ensure_hosts_file, session.hosts["vm-1"], session.platform)])
        session.probe.check()  # type: ignore[attr-defined]
        session.probe.time_passes()  # type: ignore[attr-defined]
        session.all_done([session.submit(ensure_hosts_file, session.hosts["vm-2"], session.platform)])


def test_a_gap_while_nothing_acts_stops_no_run_and_is_reported(world: World) -> None:
    world.probe.later["etcd"] = 30
    report = perform(with_a_pause, world)

    (etcd,) = (one for one in report.interruptions if one["series"] == "etcd")
    assert etcd["gaps"][0]["seconds"] == pytest.approx(30, abs=2)
    assert [mutation.partition(":")[0] for mutation in world.mutations if "hosts" in mutation] == ["vm-1", "vm-2"]


def side_by_side(session: Session) -> None:
    with watched(session, enforced=True):
        session.all_done(
            [session.submit(ensure_hosts_file, session.hosts[name], session.platform) for name in ("vm-1", "vm-2", "phys-1")]
        )


def test_what_stands_beside_a_refused_first_change_is_refused_with_it(world: World) -> None:
    world.probe.silent.add("api")

    with pytest.raises(RefusedError, match=r"no answer before the first change"):
        perform(side_by_side, world)
    assert [mutation for mutation in world.mutations if "hosts" in mutation] == []
    assert world.probe.starts == 1


def test_nothing_is_changed_when_clients_get_no_answer_before(world: World) -> None:
    world.probe.silent.add("api")

    with pytest.raises(RefusedError, match=r"the first change: api: refused: .*ignore_interruption=true \[clients-unanswered\]"):
        perform(one_change, world)
    assert [mutation for mutation in world.mutations if "hosts" in mutation] == []
