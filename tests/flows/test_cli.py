"""`evenkeel` on Prefect's own server: runs are begun, found, watched, answered and reported by its API only."""

from __future__ import annotations

import io
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import ArtifactCreate, LogCreate
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterId,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateName,
)
from prefect.runtime import flow_run
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Completed, Running, Scheduled
from prefect.types._datetime import now
from rich.console import Console
from typer.testing import CliRunner

from configs.platform import Gate
from deployments import cli, watch
from deployments.runs import UNREAD, ApiError, api, begin, find, look
from flows.gate import ApprovalMissingError, pass_gate
from flows.progress import published
from flows.report import show
from flows.session import Session
from tasks.engine.outcome import unchanged
from tests.fakes.platform import platform
from tests.fakes.world import World
from tests.flows.sessions import perform

run_cli = CliRunner().invoke


@flow(name="migrate")
def stand_in(config: str = "configs/demo.yaml", dry_run: bool = False, until: str | None = None) -> None:
    """Has the parameters of a migration."""


@pytest.fixture(scope="module")
def deployed(engine: None) -> UUID:
    with get_client(sync_client=True) as client:
        flow_id = client.create_flow(stand_in)
        return client.create_deployment(flow_id, "demo", entrypoint="flows/migrate.py:migrate", parameters={"dry_run": False})


def begun(**parameters: object) -> UUID:
    with api() as client:
        return begin(client, "migrate", "demo", parameters).id


def becomes(run_id: UUID, *states: object) -> None:
    with get_client(sync_client=True) as client:
        for state in states:
            client.set_flow_run_state(run_id, state, force=True)  # type: ignore[arg-type]


def lines(run_id: UUID) -> list[str]:
    said = io.StringIO()
    watch.follow(run_id, Console(file=said, width=200), pace_s=0.05)
    return said.getvalue().splitlines()


def test_a_run_is_begun_with_what_is_given_and_the_rest_is_the_deployments(deployed: UUID) -> None:
    run_id = begun(until="join", only=None)

    with get_client(sync_client=True) as client:
        assert client.read_flow_run(run_id).parameters == {"dry_run": False, "until": "join"}


@flow(name="rollback")
def stand_in_rollback(what: str = "both", image_map: dict[str, dict[str, str]] | None = None, dry_run: bool = False) -> None:
    """Has the parameters of a rollback."""


def test_a_rollback_is_given_images_by_hand(deployed: UUID) -> None:
    with get_client(sync_client=True) as client:
        rollback = client.create_deployment(client.create_flow(stand_in_rollback), "demo", entrypoint="flows/rollback.py:rollback")
    images = {"Deployment uap/web": {"web": "web:1"}}

    said = run_cli(cli.app, ["rollback", "demo", "--image-map", json.dumps(images), "--dry-run", "--no-watch"])

    assert said.exit_code == 0, said.output
    of_rollback = DeploymentFilter(id=DeploymentFilterId(any_=[rollback]))
    with get_client(sync_client=True) as client:
        (run,) = client.read_flow_runs(deployment_filter=of_rollback)
    assert run.parameters == {"what": "both", "image_map": images, "dry_run": True}


@pytest.mark.parametrize("images", ["web:1", '["web:1"]', '{"Deployment uap/web": "web:1"}'])
def test_images_that_are_not_by_workload_and_container_are_refused(images: str) -> None:
    said = run_cli(cli.app, ["rollback", "demo", "--image-map", images])

    assert said.exit_code == 2
    assert "Invalid value for '--image-map'" in said.output


def test_what_is_not_deployed_says_how_it_is(deployed: UUID) -> None:
    with pytest.raises(ApiError, match="migrate/other: not deployed: prefect deploy --all"), api() as client:
        begin(client, "migrate", "other", {})


def test_the_run_that_is_under_way_is_found_before_newer_ones_that_are_over_or_still_to_come(deployed: UUID) -> None:
    running, over, later = begun(), begun(), begun()
    becomes(running, Running())
    becomes(over, Running(), Completed())
    becomes(later, Scheduled(scheduled_time=now("UTC").replace(year=2099)))

    with api() as client:
        assert find(client, "demo").id == running
    becomes(running, Completed())
    with api() as client:
        assert find(client, "demo").id == over


def test_a_platform_without_runs_says_how_one_is_begun(deployed: UUID) -> None:
    with pytest.raises(ApiError, match=r"nobody: no run of migrate/nobody, .* evenkeel migrate nobody begins one"), api() as client:
        find(client, "nobody")


def test_a_run_that_somebody_else_began_is_watched_to_its_end(world: World) -> None:
    said: list[str] = []
    watching: list[threading.Thread] = []

    def act(session: Session) -> None:
        journal, run_id = session.run.journal, UUID(str(flow_run.id))
        thread = threading.Thread(target=lambda: said.extend(lines(run_id)))
        watching.append(thread)
        with published(journal, pace_s=0.05):
            session.run.enter("join")
            journal.begin("join etcd", "phys-1").awaiting = "phys-1 has caught up"
            warn(run_id, "phys-2: its disk is slow [disk-slow]")
            thread.start()
            awaited(lambda: any("phase join" in line for line in said) or seen_by(run_id, "phase join"))
            journal.end(journal.report.entries[0], unchanged("a voter"), 1)

    perform(act, world)
    watching[0].join(20)

    assert any(line.endswith("Running; step 1, phase join, time left unknown") for line in said)
    assert "phys-2: its disk is slow [disk-slow]" in said
    assert said[-1].endswith(": Completed")


def test_a_progress_that_can_not_be_read_is_said_and_the_state_shown(deployed: UUID) -> None:
    run_id = begun()
    becomes(run_id, Running())
    with get_client(sync_client=True) as client:
        client.create_artifact(ArtifactCreate(key="progress-demo", flow_run_id=run_id, metadata_={"progress": '{"run": "cut o...'}))
    with api() as client:
        seen = look(client, run_id)
    becomes(run_id, Completed())

    assert (seen.state, seen.progress, seen.warnings) == ("Running", None, [UNREAD])


def warn(run_id: UUID, message: str) -> None:
    with get_client(sync_client=True) as client:
        entry = LogCreate(name="flows", level=30, message=message, timestamp=now("UTC"), flow_run_id=run_id)
        client.create_logs([entry])


def awaited(question: object) -> None:
    for _ in range(100):
        if question():  # type: ignore[operator]
            return
        time.sleep(0.1)
    raise AssertionError("it never came")


def seen_by(run_id: UUID, words: str) -> bool:
    with api() as client:
        return words in watch.headline(look(client, run_id), time.time())


def test_a_run_that_no_worker_takes_says_so(deployed: UUID) -> None:
    with api() as client:
        assert "it waits for a worker" in watch.headline(look(client, begun()), time.time())


def test_while_the_server_does_not_answer_the_last_picture_says_so_and_the_watching_goes_on(
    deployed: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = begun()
    seen: list[watch.Look] = []
    for one in watch.looks(run_id, 0.01):
        seen.append(one)
        if len(seen) == 1:
            monkeypatch.setattr("deployments.watch.look", away)
        if len(seen) == 2:
            monkeypatch.setattr("deployments.watch.look", look)
            becomes(run_id, Completed())

    assert [watch.headline(one, time.time()).partition(": ")[2] for one in seen[1:]] == ["no Prefect server answers", "Completed"]


def away(*_args: object) -> watch.Look:
    raise ApiError("no Prefect server answers")


def test_a_picture_has_hosts_by_steps_and_what_is_awaited(world: World) -> None:
    pictures: list[str] = []

    def act(session: Session) -> None:
        journal, run_id = session.run.journal, UUID(str(flow_run.id))
        with published(journal, pace_s=0.05):
            session.run.enter("join")
            journal.end(journal.begin("set hostname", "phys-1"), unchanged("is phys-1"), 1)
            journal.begin("join etcd", "phys-1").awaiting = "phys-1 has caught up"
            awaited(lambda: seen_by(run_id, "step 2"))
            with api() as client:
                seen = look(client, run_id)
        console = Console(file=io.StringIO(), width=120, record=True)
        console.print(watch.frame(seen, time.time()))
        console.print(watch.headline(seen, time.time() + 90))
        pictures.append(console.export_text())

    perform(act, world)

    assert "phys-1  ·▶  join etcd" in pictures[0]
    assert ": phys-1 has caught up" in pictures[0]
    assert "no news for" in pictures[0]


@contextmanager
def waiting_at_a_gate(world: World) -> Iterator[None]:
    """A run that waits, in another thread; it has to end within the context. Prefect looks for an answer every ten seconds."""
    world.platform = platform(http_checks=[], gates=["retire"], timeouts={"approval_s": 60})
    run = threading.Thread(target=lambda: perform(pass_retire, world))
    run.start()
    try:
        yield
    finally:
        run.join()


answers: list[str] = []


def pass_retire(session: Session) -> None:
    try:
        pass_gate(session, Gate.RETIRE, approved=False)
        answers.append("approved")
    except ApprovalMissingError as error:
        answers.append(error.message)


def in_state(name: str, **parameters: object) -> list[UUID]:
    only = FlowRunFilter(state=FlowRunFilterState(name=FlowRunFilterStateName(any_=[name])))
    with get_client(sync_client=True) as client:
        return [run.id for run in client.read_flow_runs(flow_run_filter=only) if run.parameters.items() >= parameters.items()]


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["--operator", "mei"], "approved"),
        (["--operator", "mei", "--abort"], "demo: approval: mei answered 'abort' for 'demo', expected 'approve' for 'demo'"),
    ],
)
def test_a_gate_is_answered_after_its_evidence_was_shown(world: World, words: list[str], answer: str) -> None:
    answers.clear()
    with waiting_at_a_gate(world):
        awaited(lambda: in_state("Paused"))
        (run_id,) = in_state("Paused")
        assert "it waits for approval: evenkeel approve" in watch.headline(looked(run_id), time.time())
        said = run_cli(cli.app, ["approve", "demo", "--run", str(run_id), *words], input="demo\n")

    assert said.exit_code == 0, said.output
    assert "Can't be undone" in said.output
    assert said.output.index("Can't be undone") < said.output.index("type the platform's name")
    assert answers[0].startswith(answer)


def looked(run_id: UUID) -> watch.Look:
    with api() as client:
        return look(client, run_id)


def test_a_run_that_waits_for_nothing_takes_no_answer(deployed: UUID) -> None:
    run_id = begun()
    said = run_cli(cli.app, ["approve", "demo", "--run", str(run_id), "--platform", "demo"])

    assert (said.exit_code, "shows nothing to approve" in said.output.replace("\n", " ")) == (2, True)


def test_a_report_is_read_from_the_api(world: World) -> None:
    runs: list[str] = []

    def act(session: Session) -> None:
        runs.append(str(flow_run.id))
        show("# migrate demo: verified", "report-demo", "migrate run-1: /srv/reports/demo/run-1/report.html")

    perform(act, world)
    said = run_cli(cli.app, ["report", "demo", "--run", runs[0]])

    assert said.output.splitlines() == ["# migrate demo: verified", "migrate run-1: /srv/reports/demo/run-1/report.html"]


def test_a_plan_is_a_dry_run_that_is_watched_and_then_shown(deployed: UUID) -> None:
    def end() -> None:
        awaited(lambda: in_state("Scheduled", dry_run=True, until="join"))
        becomes(in_state("Scheduled", dry_run=True, until="join")[0], Completed())

    somebody = threading.Thread(target=end)
    somebody.start()
    said = run_cli(cli.app, ["plan", "demo", "--until", "join"])
    somebody.join()

    assert (said.exit_code, "the run has shown no plan" in said.output) == (0, True)


def test_without_an_address_no_server_of_its_own_is_started() -> None:
    with temporary_settings({PREFECT_API_URL: None}):
        said = run_cli(cli.app, ["watch"])

    assert (said.exit_code, "PREFECT_API_URL is not set: set -a" in said.output) == (2, True)


def test_a_server_that_does_not_answer_is_named() -> None:
    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}), pytest.raises(ApiError, match="no Prefect server answers"):
        begun()
