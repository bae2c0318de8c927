"""What makes a function a step: a Prefect task that is never skipped, retries only what can pass, and is written down."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar

from prefect import Task, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.runtime import task_run

from blocks.ssh import round_trips
from tasks.engine.outcome import Change, Outcome
from tasks.engine.run import Run, tell

P = ParamSpec("P")
Target = TypeVar("Target")
RETRIES = 3
RETRY_DELAYS_S = [2, 5, 15]  # a settling etcd takes about 5 s, a rebooting sshd longer
log = logging.getLogger(__name__)


def step(
    name: str,
) -> Callable[[Callable[Concatenate[Run, Target, P], Outcome]], Task[Concatenate[Run, Target, P], Outcome]]:
    """Make a function (run, target, ...) -> Outcome a step called `name`.

    It probes at every call: a checkpoint that is newer than the world does not exist (pingcap/tiup#2267).
    Only errors that say `retryable` are retried; a deadline that has passed is not one of them.
    """

    def decorate(
        function: Callable[Concatenate[Run, Target, P], Outcome],
    ) -> Task[Concatenate[Run, Target, P], Outcome]:
        @functools.wraps(function)
        def written_down(run: Run, target: Target, *args: P.args, **kwargs: P.kwargs) -> Outcome:
            who = name_of(target)
            entry = run.journal.begin(name, who)
            trips: list[str] = []
            noting = round_trips.set(trips)
            try:
                outcome = function(run, target, *args, **kwargs)
            except BaseException as error:
                run.journal.end(entry, error, len(trips))
                raise
            finally:
                round_trips.reset(noting)
            run.journal.end(entry, outcome, len(trips))
            if outcome.change is Change.CHANGED:
                tell("after verify", who, name)
            log.info("%s: %s: %s: %s", who, name, outcome.change, outcome.why)
            for note in outcome.notes:
                log.warning("%s: %s: %s", who, name, note)
            return outcome

        return task(
            name=name,
            task_run_name=_task_run_name,
            cache_policy=NO_CACHE,
            retries=RETRIES,
            retry_delay_seconds=list(RETRY_DELAYS_S),
            retry_condition_fn=_can_pass,
            persist_result=False,
        )(written_down)

    return decorate


def name_of(target: object) -> str:
    """How a target is called in logs and reports: a machine's name, else its text."""
    return str(getattr(target, "name", target))


def _task_run_name() -> str:
    parameters: dict[str, Any] = task_run.parameters
    target = list(parameters.values())[1]
    return f"{task_run.task_name}: {name_of(target)}"


def _can_pass(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    error = state.result(raise_on_failure=False)
    return bool(getattr(error, "retryable", False))
