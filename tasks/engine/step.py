"""What makes a function a step: a Prefect task that is never skipped, retries only transient errors, and is recorded."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar

from prefect import Task, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.runtime import task_run
from prefect.utilities.annotations import BaseAnnotation

from blocks.ports import round_trips
from tasks.engine.finding import Finding, Level
from tasks.engine.journal import under_way
from tasks.engine.outcome import Change, Outcome
from tasks.engine.run import Run, announce

P = ParamSpec("P")
Target = TypeVar("Target")
Body = Callable[Concatenate[Run, Target, P], Outcome]

RETRIES = 3
RETRY_DELAYS_S = [2, 5, 15]  # a settling etcd takes about 5 s, a rebooting sshd longer
LOGGED = {Level.REFUSE: logging.ERROR, Level.WARN: logging.WARNING, Level.NOTE: logging.INFO}

log = logging.getLogger(__name__)


def step(name: str) -> Callable[[Body[Target, P]], Task[Concatenate[Run, Target, P], Outcome]]:
    """Make a function (run, target, ...) -> Outcome a step called `name`.

    It probes at every call: no checkpoint is newer than the world (pingcap/tiup#2267).
    Only errors that are `retryable` are retried; a deadline that has passed is not.
    """

    def decorate(function: Body[Target, P]) -> Task[Concatenate[Run, Target, P], Outcome]:
        undo = undo_of(function)

        @functools.wraps(function)
        def recorded(run: Run, target: Target, *args: P.args, **kwargs: P.kwargs) -> Outcome:
            outcome = written_down(run, name, target, lambda: function(run, target, *args, **kwargs), undo=undo)
            if outcome.change is Change.CHANGED:
                announce("after verify", name_of(target), name)
            log_findings(outcome.findings)
            return outcome

        return as_task(name, recorded)

    return decorate


def written_down(run: Run, name: str, target: object, work: Callable[[], Outcome], undo: str = "") -> Outcome:
    """What `work` answers or raises, with its entry in the run's journal and its line in the log."""
    who = name_of(target)
    entry = run.journal.begin(name, who, undo)
    trips: list[str] = []
    noting, current = round_trips.set(trips), under_way.set(entry)
    try:
        outcome = work()
    except BaseException as error:
        run.journal.end(entry, error, len(trips), trips)
        raise
    finally:
        round_trips.reset(noting)
        under_way.reset(current)
    run.journal.end(entry, outcome, len(trips), trips)
    log.info("%s: %s: %s: %s", who, name, outcome.change, outcome.why)
    return outcome


def undo_of(function: Callable[..., Any]) -> str:
    """How a step is undone: what its docstring says behind `Undo:`, on one line."""
    return " ".join((function.__doc__ or "").partition("Undo:")[2].split()).removesuffix(".").replace("`", "")


def log_findings(findings: tuple[Finding, ...] | list[Finding]) -> None:
    """One line each, as loud as its level; what is accepted is no louder than a note."""
    for finding in findings:
        log.log(logging.INFO if finding.accepted else LOGGED[finding.level], "%s", finding)


def as_task(name: str, function: Callable[P, Outcome]) -> Task[P, Outcome]:
    """The function as a Prefect task with this project's rules for retries and results."""
    return task(
        name=name,
        task_run_name=_task_run_name,
        cache_policy=NO_CACHE,
        retries=RETRIES,
        retry_delay_seconds=list(RETRY_DELAYS_S),
        retry_condition_fn=_can_pass,
        persist_result=False,
    )(function)


def name_of(target: object) -> str:
    """A target's name in logs and reports: that of a machine, else its text."""
    return str(getattr(target, "name", target))


def _task_run_name() -> str:
    parameters: dict[str, Any] = task_run.parameters
    target = list(parameters.values())[1]
    if isinstance(target, BaseAnnotation):  # as it was submitted: Prefect names a run before it unwraps its arguments
        target = target.unwrap()
    return f"{task_run.task_name}: {name_of(target)}"


def _can_pass(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    error = state.result(raise_on_failure=False)
    return bool(getattr(error, "retryable", False))
