"""A run's progress, in Prefect's API while it runs."""

from __future__ import annotations

import time
from uuid import UUID

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import ArtifactCreate, ArtifactUpdate
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId
from prefect.client.schemas.objects import Artifact
from prefect.runtime import flow_run

from flows.progress import PART, from_parts, in_parts, published
from flows.session import Session
from tasks.engine.outcome import unchanged
from tasks.report.progress import Progress
from tests.fakes.world import World
from tests.flows.sessions import perform


def artifacts(run: str) -> list[Artifact]:
    only = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[UUID(run)]))
    with get_client(sync_client=True) as client:
        return client.read_artifacts(artifact_filter=only)


def current(run: str, done: int) -> Progress:
    """What is published once so many steps are done."""
    for _ in range(100):
        for artifact in artifacts(run):
            progress = from_parts(artifact.metadata_ or {})
            if progress.done >= done:
                return progress
        time.sleep(0.1)
    raise AssertionError(f"{done} steps were never published")


def test_a_runs_progress_is_one_artifact_that_is_kept_current(world: World) -> None:
    seen: list[Progress] = []
    runs: list[str] = []

    def act(session: Session) -> None:
        journal, run = session.run.journal, str(flow_run.id)
        runs.append(run)
        with published(journal, pace_s=0.05):
            session.run.enter("join")
            journal.end(journal.begin("set hostname", "phys-1"), unchanged("is phys-1"), 1)
            entry = journal.begin("join etcd", "phys-1")
            entry.awaiting = "phys-1 has caught up"
            seen.append(current(run, done=1))
            journal.end(entry, unchanged("a voter"), 1)

    perform(act, world)

    assert seen[0].headline == "step 2, phase join, time left unknown"
    assert [(one.step, one.target, one.awaiting) for one in seen[0].now] == [("join etcd", "phys-1", "phys-1 has caught up")]
    (kept,) = artifacts(runs[0])
    assert kept.key == "progress-demo"
    assert from_parts(kept.metadata_ or {}).done == 2


def test_the_progress_of_many_machines_is_read_whole_from_the_server(world: World) -> None:
    machines, steps = [f"phys-{number}" for number in range(1, 10)], [f"step {number}" for number in range(20)]
    runs: list[str] = []

    def act(session: Session) -> None:
        journal = session.run.journal
        runs.append(str(flow_run.id))
        with published(journal, pace_s=0.05):
            session.run.enter("join")
            for step in steps:
                for machine in machines:
                    journal.end(journal.begin(step, machine), unchanged("done"), 1)

    perform(act, world)

    (kept,) = artifacts(runs[0])
    assert len(kept.metadata_ or {}) > 1
    assert from_parts(kept.metadata_ or {}).hosts == {machine: dict.fromkeys(steps, "unchanged") for machine in machines}


def test_a_progress_that_becomes_shorter_leaves_nothing_of_the_longer_one(world: World) -> None:
    long, short = (Progress("r", "migrate", "demo", False, 0.0, "join", 1, None, None, warnings=["w" * size]) for size in (3 * PART, 1))
    kept: list[Artifact] = []

    def act(_session: Session) -> None:
        with get_client(sync_client=True) as client:
            made = client.create_artifact(ArtifactCreate(key="progress-demo", flow_run_id=flow_run.id, metadata_=in_parts(long)))
            client.update_artifact(made.id, ArtifactUpdate(metadata_=in_parts(short)))
        kept.extend(artifacts(str(flow_run.id)))

    perform(act, world)

    assert from_parts(kept[0].metadata_ or {}) == short


def test_a_server_that_does_not_answer_holds_no_run_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_args: object, **_named: object) -> None:
        raise RuntimeError("Failed to reach API")

    monkeypatch.setattr("flows.progress.get_client", away)
    began = time.monotonic()

    def act(session: Session) -> None:
        with published(session.run.journal, pace_s=0.05):
            pass

    perform(act, world)

    assert time.monotonic() - began < 10


def test_outside_of_prefect_nothing_is_published(world: World) -> None:
    with published(world.run().journal):
        pass
