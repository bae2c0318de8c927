"""What makes a function a check: it reads and judges. It gets no run, so it can't act; it answers with findings."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from prefect import Task

from tasks.engine.finding import Checked, FindingsError, judged, ranked
from tasks.engine.outcome import Change, Outcome, planned
from tasks.engine.run import Run
from tasks.engine.step import as_task, written_down

P = ParamSpec("P")
Target = TypeVar("Target")
Body = Callable[Concatenate[Target, P], Checked]


def check(
    name: str, *, after_acts: bool = False
) -> Callable[[Body[Target, P]], Task[Concatenate[Run, Target, P], Outcome]]:
    """Make a function (target, ...) -> Checked a check called `name`; flows give it the run first, as they do to steps.

    Raises FindingsError with all that it refuses and the configuration does not accept. One that is asked `after_acts`
    judges what a run has made: a dry run, which makes nothing, only says what will be checked (its first docstring line).
    """

    def decorate(function: Body[Target, P]) -> Task[Concatenate[Run, Target, P], Outcome]:
        @functools.wraps(function)
        def recorded(run: Run, target: Target, *args: P.args, **kwargs: P.kwargs) -> Outcome:
            def work() -> Outcome:
                if run.dry_run and after_acts:
                    return planned(f"checked: {(function.__doc__ or '').splitlines()[0]}")
                checked = function(target, *args, **kwargs)
                findings = tuple(ranked(judged(finding, run.accepted) for finding in checked.findings))
                if any(finding.refuses for finding in findings):
                    raise FindingsError(findings)
                return Outcome(Change.UNCHANGED, checked.why, findings=findings)

            return written_down(run, name, target, work)

        recorded.__signature__ = _with_run(function)  # type: ignore[attr-defined]  # Prefect binds arguments by it
        return as_task(name, recorded)

    return decorate


def _with_run(function: Callable[..., Checked]) -> inspect.Signature:
    run = inspect.Parameter("run", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=Run)
    signature = inspect.signature(function)
    return signature.replace(parameters=[run, *signature.parameters.values()], return_annotation=Outcome)
