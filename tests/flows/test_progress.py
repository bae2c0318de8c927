"""A run's progress, in Prefect's API while it runs."""

from __future__ import annotations

import time
from uuid import UUID

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId
from prefect.client.schemas.objects import Artifact
from prefect.runtime import flow_run

from flows.progress import PROGRESS, published
from flows.session import Session
from tasks.engine.outcome import unchanged
from tasks.report.progress import Progress, read_progress
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
            progress = read_progress((artifact.metadata_ or {})[PROGRESS])
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
    assert read_progress((kept.metadata_ or {})[PROGRESS]).done == 2


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
