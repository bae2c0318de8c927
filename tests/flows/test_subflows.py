"""The serial parts: etcd's growth and the drains, and the end of a run in its report."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable
from threading import Event

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey
from prefect.client.schemas.sorting import ArtifactSort

from blocks.errors import DeadlineExceededError, HostError
from flows.drain import drain_sources
from flows.etcd_join import growing
from flows.preflight import preflight_migration
from flows.report import reported
from flows.session import Session
from tasks.engine.finding import FindingsError
from tasks.engine.outcome import Outcome, changed
from tasks.engine.run import Run
from tasks.engine.step import step
from tasks.etcd.quorum import QuorumAtRiskError
from tasks.machine.hosts import ensure_hosts_file
from tasks.report.interruption import InterruptionError
from tests.fakes.host import FakeHost
from tests.fakes.platform import platform
from tests.fakes.world import World
from tests.flows.sessions import perform
from tests.unit.tasks.cases import cordoned


def eventually(is_so: Callable[[], bool], within_s: float = 60) -> None:
    deadline = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def drain(session: Session) -> None:
    drain_sources([source.name for source in session.sources])


def join(session: Session) -> None:
    for host in session.targets:
        session.prepared[host.name] = session.submit(ensure_hosts_file, host, session.platform)
    with growing(session, [host.name for host in session.targets]):
        pass


def test_a_failed_drain_leaves_every_source_schedulable(world: World) -> None:
    world.platform = platform(timeouts={"drain_s": 5})
    cordoned(world)
    world.kube.bare("shop", "stuck", on="vm-2")
    world.kube.budgets["shop/stuck"] = 10_000

    with pytest.raises(DeadlineExceededError, match="vm-2: not drained within 5 s: shop/stuck: Cannot evict pod"):
        perform(drain, world)

    assert [world.kube.node_map[name].unschedulable for name in ("vm-1", "vm-2")] == [False, False]


def test_an_undo_that_fails_does_not_stop_the_next_one(world: World) -> None:
    world.platform = platform(timeouts={"drain_s": 5})
    cordoned(world)
    world.kube.bare("shop", "stuck", on="vm-2")
    world.kube.budgets["shop/stuck"] = 10_000
    world.kube.fail("set_unschedulable", HostError("no"), times=1)

    with pytest.raises(DeadlineExceededError, match="vm-2: not drained within 5 s"):
        perform(drain, world)

    assert world.kube.node_map["vm-2"].unschedulable is False


def test_a_run_that_stops_because_clients_got_no_answer_undoes_nothing(world: World) -> None:
    def waits(session: Session) -> None:
        session.run.guard(Refusing())
        drain(session)

    cordoned(world)
    world.forget()
    with pytest.raises(InterruptionError):
        perform(waits, world)

    assert [world.kube.node_map[name].unschedulable for name in ("vm-1", "vm-2")] == [True, True]
    assert world.mutations == []


class Refusing:
    """A guard after clients got no answer for too long."""

    def check(self) -> None:
        raise InterruptionError("clients: http: no answer for 9 s")


def test_after_a_failed_join_no_further_target_is_tried(world: World) -> None:
    world.etcd.never_in_sync = True

    with pytest.raises(DeadlineExceededError, match="joining etcd failed, the learner is removed again"):
        perform(join, world)

    assert len([mutation for mutation in world.etcd.mutations if mutation.startswith("add learner")]) == 1
    assert [member.name for member in world.etcd.members()] == ["vm-1", "vm-2"]


@step("prepare late")
def prepare_late(run: Run, host: FakeHost, stopped: Event) -> Outcome:
    """Prepare the machine after what runs beside etcd's growth has failed, or late in any case."""
    stopped.wait(5)
    return changed(f"{host.name} is late")


def test_etcd_grows_no_further_once_a_node_beside_it_has_failed(world: World) -> None:
    def fail_beside(session: Session) -> None:
        first, *others = session.targets
        session.prepared[first.name] = session.submit(ensure_hosts_file, first, session.platform)
        for host in others:
            session.prepared[host.name] = session.submit(prepare_late, host, session.growth_stopped)
        with growing(session, [host.name for host in session.targets]):
            raise HostError("phys-3: k3s-agent does not start")

    with pytest.raises(HostError, match="phys-3: k3s-agent does not start"):
        perform(fail_beside, world)

    assert {member.name for member in world.etcd.members()} <= {"vm-1", "vm-2", "phys-1"}


def test_where_both_fail_the_error_has_the_texts_of_both(world: World) -> None:
    world.etcd.never_in_sync = True

    def fail_beside(session: Session) -> None:
        first = session.targets[0]
        session.prepared[first.name] = session.submit(ensure_hosts_file, first, session.platform)
        with growing(session, [first.name]):
            eventually(lambda: "add learner http://10.0.0.21:2380" in world.etcd.mutations)
            raise HostError("phys-3: k3s-agent does not start")

    with pytest.raises(HostError, match=r"(?s)k3s-agent does not start.*\nphys-1: joining etcd failed, the learner is removed again"):
        perform(fail_beside, world)


def test_a_target_that_could_not_be_prepared_does_not_join(world: World) -> None:
    world.hosts["phys-2"].fail("writing /etc/hosts", HostError("phys-2: read-only"))

    with pytest.raises(HostError, match="phys-2: read-only"):
        perform(join, world)
    assert "add learner http://10.0.0.22:2380" not in world.etcd.mutations


def test_a_learner_that_a_killed_run_has_left_is_finished_before_any_other_begins(world: World) -> None:
    world.etcd.begun("10.0.0.22")

    perform(join, world)

    assert world.etcd.mutations[0] == "promote phys-2"
    assert {member.name for member in world.etcd.members()} == {"vm-1", "vm-2", "phys-1", "phys-2", "phys-3"}


def test_a_preflight_reports_all_problems_together(world: World) -> None:
    world.hosts["phys-1"].tell("uid", "1000")
    world.hosts["vm-2"].tell("uid", "1000")
    world.etcd.down = {"vm-2"}

    with pytest.raises(FindingsError) as refused:
        perform(preflight_migration, world)

    lines = str(refused.value).splitlines()
    assert {(finding.where, finding.id) for finding in refused.value.findings if finding.refuses} >= {
        ("phys-1", "host-not-root"),
        ("vm-2", "host-not-root"),
        ("etcd", "etcd-voters-silent"),
    }
    assert [line for line in lines if line.startswith("phys-1: ") and "uid 1000" in line]
    assert [line for line in lines if line.startswith("vm-2: ") and "uid 1000" in line]
    assert [line for line in lines if "voters vm-2 do not answer" in line]
    assert world.mutations == []


def report(world: World, error: Exception | None = None) -> tuple[dict[str, object], str]:
    """The two files of a run that ends with `error`."""

    def end(session: Session) -> None:
        with reported(session.run.journal):
            if error is not None:
                raise error

    with contextlib.suppress(QuorumAtRiskError):
        perform(end, world)
    folder = world.folder / "reports" / "run-1"
    return json.loads((folder / "report.json").read_text()), (folder / "report.md").read_text()


def test_a_run_that_ended_well_is_reported_as_verified(world: World) -> None:
    facts, words = report(world)

    assert facts["outcome"] == "verified"
    assert words.startswith("# test demo: verified")


def test_a_run_that_failed_is_reported_with_its_error(world: World) -> None:
    facts, words = report(world, QuorumAtRiskError("etcd: voters vm-2 do not answer"))

    assert (facts["outcome"], facts["error"]) == ("failed", "etcd: voters vm-2 do not answer [etcd-quorum]")
    assert "**etcd: voters vm-2 do not answer [etcd-quorum]**" in words


def test_a_report_is_shown_in_the_ui(world: World) -> None:
    report(world)

    with get_client(sync_client=True) as client:
        wanted = ArtifactFilter(key=ArtifactFilterKey(any_=["report-demo"]))
        newest, *_ = client.read_artifacts(artifact_filter=wanted, sort=ArtifactSort.CREATED_DESC)
    assert "# test demo: " in str(newest.data)
