"""Prefect's server on PostgreSQL, and two workers on one pool: what one of them leaves half done, the other finishes.

They share the platform, the config and the keys, and nothing else: each has a home of its own.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator

import pytest

from deployments import orchestrator, rehearse
from tests.faults.conftest import Uninterrupted
from tests.faults.orchestration import await_end, begin, errors, home_of, processes
from tests.faults.postgres import postgres
from tests.faults.story import Story
from tests.lab import world

pytestmark = pytest.mark.timeout(1800)
SECOND = orchestrator.RUN / "second"


@pytest.fixture(scope="module")
def workers(uninterrupted: Uninterrupted) -> Iterator[dict[str, int]]:
    """By its home, the process group of each worker."""
    orchestrator.stop("server")
    with postgres() as url:
        orchestrator.start_server(database=url)
        orchestrator.await_server()
        world.lab("up", "--fresh", timeout_s=3000)
        secrets = rehearse.lab_secrets()
        orchestrator.start_worker(secrets)
        first = int((orchestrator.RUN / "worker.pid").read_text())
        command = [orchestrator.BIN / "prefect", "worker", "start", "--pool", "evenkeel"]
        environment = {**orchestrator.environment(), **secrets, "PREFECT_HOME": str(SECOND)}
        with (orchestrator.RUN / "second.log").open("ab") as log:
            second = subprocess.Popen(
                command, cwd=orchestrator.ROOT, env=environment, stdout=log, stderr=log, start_new_session=True
            )
        yield {str(orchestrator.RUN / "prefect"): first, str(SECOND): second.pid}
        orchestrator.stop("worker")
        if second.poll() is None:
            os.killpg(second.pid, signal.SIGINT)
        second.wait(60)
        orchestrator.stop("server")
    orchestrator.start_server()
    orchestrator.await_server()


def taken(run: str) -> str:
    """The home of the worker that has taken the run."""
    world.eventually("a worker takes it", lambda: bool(processes(run)), within_s=120)
    return home_of(processes(run)[0])


def voters() -> int:
    return len([name for name, _, learner in world.members("vm-1") if name and not learner])


def test_what_a_killed_worker_leaves_the_other_finishes(
    uninterrupted: Uninterrupted, workers: dict[str, int], secrets: dict[str, str]
) -> None:
    with Story("two workers, PostgreSQL", secrets) as story:
        run = begin("migrate/lab")
        home = taken(run)
        world.eventually("five voters", lambda: voters() >= 5, within_s=300)
        os.killpg(workers[home], signal.SIGKILL)
        for process in processes(run):
            os.kill(process, signal.SIGKILL)
        story.saw("a worker and its run killed while targets join", f"five voters, worker of {home}")

        run = begin("migrate/lab")
        other = taken(run)
        assert other != home
        assert await_end(run, within_s=900) == "COMPLETED", errors()
        story.saw("the same command", f"finished by the worker of {other}")
        story.ends_as(uninterrupted.state)
