"""The orchestrator dies, gets false states, or loses its database: one migration, and never two processes on it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from deployments import orchestrator, rehearse
from tests.faults.conftest import Uninterrupted
from tests.faults.orchestration import await_end, begin, errors, force, kill_all, kill_server, processes, stop_all
from tests.faults.orchestration import state as state_of
from tests.faults.story import Story
from tests.lab import world

pytestmark = pytest.mark.timeout(1800)
LOCK = "/evenkeel/lab/lock"


@pytest.fixture(scope="module")
def story(uninterrupted: Uninterrupted, secrets: dict[str, str]) -> Iterator[Story]:
    """A fresh lab, a worker, and clients that write all the time."""
    world.lab("up", "--fresh", timeout_s=3000)
    orchestrator.start_worker(rehearse.lab_secrets())
    with Story("what runs the flows dies", secrets) as story:
        yield story
    orchestrator.stop("worker")


def members() -> int:
    return len([name for name, _, learner in world.members("vm-1") if name and not learner])


def nodes() -> int:
    return sum(ready for _, _, ready, _ in world.nodes("vm-1"))


def gone(run: str) -> bool:
    return not processes(run)


def test_a_second_run_is_refused_and_a_worker_stopped_in_order_blocks_nobody(story: Story) -> None:
    first = begin("migrate/lab")
    world.eventually("the first run has the lock", lambda: bool(world.keys("vm-1", LOCK)), within_s=60)
    second = begin("migrate/lab")
    assert await_end(second) == "FAILED"
    assert "migrate configs/lab.yaml, dry run: False" in errors()[-1], errors()
    world.eventually("five voters", lambda: members() >= 5, within_s=180)

    stop_all(first)
    world.eventually("the run's process is gone", lambda: gone(first), within_s=60)

    story.saw("a second run beside the first; the worker stopped by SIGTERM", errors()[-1])
    orchestrator.start_worker(rehearse.lab_secrets())


def test_worker_and_run_killed_together(story: Story) -> None:
    run = begin("migrate/lab")
    world.eventually("eight voters", lambda: members() >= 8, within_s=180)
    kill_all(run)
    world.eventually("the run's process is gone", lambda: gone(run), within_s=10)
    assert state_of(run) == "RUNNING"
    story.saw("worker and run killed together", "Prefect still calls it running")
    orchestrator.start_worker(rehearse.lab_secrets())


def test_the_server_is_killed_and_comes_back(story: Story) -> None:
    run = begin("migrate/lab")
    world.eventually("five nodes", lambda: nodes() >= 5, within_s=240)
    kill_server()
    orchestrator.start_server()
    orchestrator.await_server()
    world.eventually("the run's process ends", lambda: gone(run), within_s=400)
    story.saw("Prefect's server killed, and started again", f"the run: {state_of(run)}")


def test_the_orchestrator_has_lost_its_memory_and_a_live_run_is_called_crashed(story: Story) -> None:
    orchestrator.stop("worker")
    orchestrator.stop("server")
    shutil.rmtree(orchestrator.RUN / "prefect")
    shutil.rmtree(orchestrator.ROOT / "reports/lab")
    orchestrator.start_server()
    orchestrator.await_server()
    orchestrator.start_worker(rehearse.lab_secrets())

    run = begin("migrate/lab")
    world.eventually("the run has the lock", lambda: bool(world.keys("phys-1", LOCK)), within_s=90)
    (living,) = processes(run)
    force(run, "CRASHED")
    force(run, "SCHEDULED")
    world.eventually("a second process begins", lambda: len(processes(run)) > 1, within_s=60)
    world.eventually("one of them ends", lambda: len(processes(run)) < 2, within_s=120)
    assert processes(run) in ([living], [])
    world.eventually("both have ended", lambda: gone(run), within_s=400)
    refused = [error for error in errors() if "another run" in error]
    assert refused, errors()
    story.saw("all memory lost; a living run called crashed, and retried", refused[-1])


def test_in_the_end_it_has_moved_and_nothing_is_lost(story: Story, uninterrupted: Uninterrupted) -> None:
    assert await_end(begin("migrate/lab")) == "COMPLETED", errors()
    story.ends_as(uninterrupted.state)
