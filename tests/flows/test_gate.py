"""An approval is for one plan on one platform; without it the run does not go on."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterKey,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateName,
)
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.sorting import ArtifactSort
from prefect.flow_runs import resume_flow_run
from prefect.states import Running
from pydantic import ValidationError

from configs.hosts import Target
from configs.platform import Gate
from flows.evidence import evidence_of, setting_of
from flows.gate import (
    APPROVALS,
    ApprovalMissingError,
    behind,
    pass_gate,
    plan_behind,
    plan_hash,
    refuse_unapproved,
    require_approval,
)
from flows.session import Session
from tasks.database.archive import BACKUP
from tasks.engine.journal import Entry, Journal, Report, now
from tasks.engine.record import Facts
from tasks.plan.plan import plan_of
from tasks.report.history import Expected
from tests.fakes.platform import CONFIG, platform
from tests.fakes.world import World
from tests.flows.sessions import perform, session_on

PLAN = "- restore tidb-backup-20260102: every row written since then is LOST"
YES = {"decision": "approve", "operator": "mei", "platform": "demo"}


def ask(session: Session) -> None:
    require_approval(session, PLAN, approved=False)


def approval(world: World, plan: str = PLAN) -> Facts | None:
    return world.record.read(f"{APPROVALS}/{plan_hash(plan)}")


def paused() -> FlowRun:
    """The run that waits for an answer, as soon as it does."""
    state = FlowRunFilterState(name=FlowRunFilterStateName(any_=["Paused"]))
    with get_client(sync_client=True) as client:
        for _ in range(200):
            if found := client.read_flow_runs(flow_run_filter=FlowRunFilter(state=state)):
                return found[0]
            time.sleep(0.05)
    raise AssertionError("no run waits for an answer")


@contextmanager
def answering(answer: dict[str, Any] | None) -> Iterator[None]:
    """Somebody answers as the UI does; None sets the run's state by force, without an answer."""

    def say() -> None:
        run = paused()
        if answer is not None:
            resume_flow_run(run.id, run_input=answer)
        else:
            with get_client(sync_client=True) as client:
                client.set_flow_run_state(run.id, Running(), force=True)

    somebody = threading.Thread(target=say)
    somebody.start()
    try:
        yield
    finally:
        somebody.join()


@pytest.fixture
def patient(world: World) -> World:
    """Prefect looks for an answer first after half of this time, then after ten seconds more."""
    world.platform = platform(http_checks=[], timeouts={"approval_s": 4})
    return world


def test_an_approval_is_kept_with_its_operator_and_its_plan(patient: World) -> None:
    with answering(YES):
        perform(ask, patient)

    kept = approval(patient) or {}
    assert (kept["operator"], kept["plan"]) == ("mei", PLAN)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({**YES, "decision": "abort"}, "demo: approval: mei answered 'abort' for 'demo', expected 'approve' for 'demo'"),
        ({**YES, "platform": "prod"}, "demo: approval: mei answered 'approve' for 'prod', expected 'approve' for 'demo'"),
    ],
    ids=["no", "another platform's name"],
)
def test_any_other_answer_is_a_no(patient: World, answer: dict[str, Any], said: str) -> None:
    with answering(answer), pytest.raises(ApprovalMissingError, match=said) as refused:
        perform(ask, patient)
    assert refused.value.id == "approval-refused"
    assert approval(patient) is None


def test_a_run_that_is_resumed_by_force_is_not_approved(patient: World) -> None:
    with answering(None), pytest.raises(ValidationError, match="decision"):
        perform(ask, patient)
    assert approval(patient) is None


def test_without_an_answer_nothing_is_done(world: World) -> None:
    world.platform = platform(http_checks=[], timeouts={"approval_s": 0.5})

    with pytest.raises(ApprovalMissingError, match=r"demo: approval: no answer within 0.5 s") as refused:
        perform(ask, world)
    assert refused.value.id == "approval-timed-out"
    assert approval(world) is None


def test_a_plan_that_was_approved_is_not_asked_for_again(world: World) -> None:
    world.record.write(f"{APPROVALS}/{plan_hash(PLAN)}", {"operator": "mei"})

    ask(session_on(world))

    assert approval(world) == {"operator": "mei"}


def test_a_dry_run_asks_nobody_and_approves_nothing(world: World) -> None:
    ask(session_on(world, dry=True))

    assert world.mutations == []


def test_a_run_that_is_started_as_approved_says_so_in_the_record(world: World) -> None:
    require_approval(session_on(world), PLAN, approved=True)

    assert (approval(world) or {})["operator"] == "nobody was asked: approved=true"


def test_a_migration_waits_at_the_gates_of_its_config_only(world: World) -> None:
    world.platform = platform(gates=["drain"], timeouts={"approval_s": 0.5})

    perform(lambda session: pass_gate(session, Gate.BEGIN, approved=False), world)
    with pytest.raises(ApprovalMissingError, match="no answer within"):
        perform(lambda session: pass_gate(session, Gate.DRAIN, approved=False), world)


def test_a_gate_that_was_passed_stays_open_while_the_machines_are_the_same(world: World) -> None:
    world.platform = platform(gates=["retire"], timeouts={"approval_s": 0.5})
    pass_gate(session_on(world), Gate.RETIRE, approved=True)
    perform(lambda session: pass_gate(session, Gate.RETIRE, approved=False), world)

    world.platform = platform(gates=["retire"], timeouts={"approval_s": 0.5}, targets=CONFIG["targets"][1:])
    with pytest.raises(ApprovalMissingError, match="no answer within"):
        perform(lambda session: pass_gate(session, Gate.RETIRE, approved=False), world)


def test_a_finished_migration_asks_nobody(world: World) -> None:
    world.platform = platform(gates=["begin"], timeouts={"approval_s": 0.5})
    world.record.finish()

    perform(lambda session: pass_gate(session, Gate.BEGIN, approved=False), world)


def test_an_approval_is_for_exactly_one_plan(world: World) -> None:
    require_approval(session_on(world), PLAN, approved=True)

    refuse_unapproved(world.record, PLAN)
    with pytest.raises(ApprovalMissingError, match=r"the record has none for the current plan: .* \[approval-missing\]$"):
        refuse_unapproved(world.record, PLAN + "\n- and more")


def through(world: World, targets: tuple[Target, ...] = (), *, approved: bool = False) -> None:
    perform(lambda session: pass_gate(session, Gate.BEGIN, approved=approved, targets=targets), world)


def test_a_plan_names_the_bricks_only_where_they_are_moved() -> None:
    moving = platform(backup={**CONFIG["backup"], "lake": {"move": True}})
    bricks = "replace the file lake's bricks on vm-1, vm-2 one at a time"

    assert bricks in plan_behind(Gate.BEGIN, moving, moving.targets)
    assert bricks not in plan_behind(Gate.BEGIN, moving, moving.targets[:1])
    assert bricks not in plan_behind(Gate.BEGIN, platform(), moving.targets)


def test_an_approval_for_one_target_is_none_for_all(patient: World) -> None:
    patient.platform = platform(http_checks=[], gates=["begin"], timeouts={"approval_s": 1})
    one = patient.platform.targets[:1]
    through(patient, one, approved=True)

    through(patient, one)
    with pytest.raises(ApprovalMissingError, match="no answer"):
        through(patient)


def test_an_approval_for_all_targets_is_one_for_each(patient: World) -> None:
    patient.platform = platform(http_checks=[], gates=["begin"], timeouts={"approval_s": 1})
    through(patient, approved=True)

    through(patient, patient.platform.targets[:1])


UNINSTALL, REMOVAL = "uninstall old k3s: the old platform's images", "remove etcd member: a removed member comes back only"


@pytest.mark.parametrize(
    ("gate", "others", "phases", "lasting"),
    [
        (Gate.BEGIN, ["canary"], {"backup", "canary"}, [UNINSTALL]),
        (Gate.BEGIN, ["drain"], {"backup", "canary", "join"}, [UNINSTALL]),
        (Gate.BEGIN, [], {"backup", "canary", "join", "drain", "keepalived", "retire"}, [UNINSTALL, REMOVAL]),
        (Gate.DRAIN, ["retire"], {"drain", "keepalived"}, []),
        (Gate.RETIRE, ["begin"], {"retire"}, [REMOVAL]),
    ],
)
def test_behind_a_gate_lies_all_up_to_the_next_one_of_the_config(
    gate: Gate, others: list[str], phases: set[str], lasting: list[str]
) -> None:
    found, said = behind(gate, platform(gates=[gate.value, *others]))

    assert found == phases
    assert [text.startswith(begin) for text, begin in zip(said, lasting, strict=True)] == [True] * len(lasting)


def test_a_gate_of_a_canary_that_there_is_not_is_no_gate() -> None:
    found, _ = behind(Gate.BEGIN, platform(gates=["begin", "canary", "drain"], canary=False))

    assert found == {"backup", "canary", "join"}


def test_who_is_asked_sees_what_is_known_and_what_can_not_be_undone(patient: World) -> None:
    patient.platform = platform(http_checks=[], gates=["retire"], timeouts={"approval_s": 4})
    patient.record.write(BACKUP, {"name": "tidb-1.tar.gz", "size": 7, "sha256": "ab" * 32, "taken": "2026-01-02T03:04:05.000+00:00"})

    with answering(YES):
        perform(lambda session: pass_gate(session, Gate.RETIRE, approved=False), patient)

    shown = artifact("gate-demo")
    assert plan_behind(Gate.RETIRE, patient.platform, patient.platform.targets) in shown
    for known in ("- remove etcd member: a removed", "| backup | tidb-1.tar.gz, taken ", "| etcd's voters | vm-1, vm-2 |"):
        assert known in shown
    assert "| plan | none of this config" in shown


def test_a_plan_of_this_config_is_shown_by_its_hash_and_says_exactly_what_can_not_be_undone(world: World) -> None:
    session = session_on(world)
    folder = session.run.journal.path.parent.parent
    dry = Report("demo", "run-0", "test", dry_run=True, outcome="planned", setting=setting_of(world.platform))
    dry.entries = [Entry("remove etcd member", "vm-2", now(), now(), "planned", phase="retire", number=1, undo="none; it is gone")]
    Journal(dry, folder / "run-0" / "report.json")

    found = evidence_of(session, ["in general"], {"retire"})
    assert found.lasting == ["remove etcd member on vm-2: it is gone"]
    assert found.plan.startswith(f"{plan_of(dry, Expected()).hash}, made 0 s ago by dry run run-0")

    world.platform = platform(gates=["drain"])
    assert evidence_of(session_on(world), ["in general"], {"retire"}).lasting == ["in general"]


def artifact(key: str) -> str:
    only = ArtifactFilter(key=ArtifactFilterKey(any_=[key]))
    with get_client(sync_client=True) as client:
        return str(client.read_artifacts(artifact_filter=only, sort=ArtifactSort.UPDATED_DESC)[0].data)
