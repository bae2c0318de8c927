"""`evenkeel`: a migration from the terminal. Its runs are those of Prefect's deployments, so they are seen in its UI, too."""

from __future__ import annotations

import getpass
import sys
from typing import Annotated, Any, Literal
from uuid import UUID

import typer
from prefect.client.schemas.objects import StateType
from prefect.exceptions import FlowPauseTimeout, NotPausedError
from prefect.flow_runs import resume_flow_run
from pydantic import TypeAdapter, ValidationError
from rich.console import Console
from typer.core import TyperGroup

from configs import check as config_check
from deployments import draft, watch
from deployments.runs import ApiError, api, begin, find
from flows.part import Until
from flows.rollback import What
from tasks.images.rollout import Images

console = Console()


class Commands(TyperGroup):
    """The commands; what Prefect's server can't answer is a message and an exit status, no traceback."""

    def invoke(self, ctx: Any) -> object:
        try:
            return super().invoke(ctx)
        except ApiError as error:
            console.print(f"evenkeel: {error}", style="red", markup=False, soft_wrap=True)
            raise typer.Exit(2) from error


app = typer.Typer(cls=Commands, no_args_is_help=True, add_completion=False, help=__doc__, pretty_exceptions_show_locals=False)
Name = Annotated[str, typer.Argument(help="of the deployments: that of the config, without .yaml")]
Watching = Annotated[bool, typer.Option("--watch/--no-watch", help="stay until it is over; it does not end with this command")]
UntilPart = Annotated[Until | None, typer.Option(help="end well after this part")]
Only = Annotated[str | None, typer.Option(help="names of targets, separated by commas: work on no other")]
Approved = Annotated[bool, typer.Option(help="wait for nobody's approval")]
RunId = Annotated[UUID | None, typer.Option("--run", help="id of a flow run; without it the newest that is under way")]


@app.command()
def check(config: Annotated[str, typer.Argument(help="path of a platform's YAML")] = "configs/prod.yaml") -> None:
    """Check a config, without any machine."""
    raise typer.Exit(config_check.main(config))


app.command("draft")(draft.main)


@app.command()
def plan(name: Name = "prod", until: UntilPart = None, only: Only = None) -> None:
    """Do a dry run of the migration and show its plan; nothing is changed."""
    run_id = _begin("migrate", name, dry_run=True, until=until, only=only)
    ended_well = _followed(run_id)
    if not watch.show(run_id, "plan", console):
        console.print("the run has shown no plan: its log says why")
    raise typer.Exit(0 if ended_well else 1)


@app.command()
def migrate(
    name: Name = "prod",
    until: UntilPart = None,
    only: Only = None,
    approved: Approved = False,
    ignore_interruption: Annotated[bool, typer.Option(help="go on although clients wait for longer than the config allows")] = False,
    watching: Watching = True,
) -> None:
    """Migrate, or go on with a migration that was stopped."""
    given = {"until": until, "only": only, "approved": approved or None, "ignore_interruption": ignore_interruption or None}
    _run("migrate", name, watching, dry_run=False, **given)


def _images(text: str) -> Images:
    try:
        return TypeAdapter(Images).validate_json(text)
    except ValidationError as error:
        raise typer.BadParameter(f"{text}: expected JSON, images by workload and container: {error.errors()[0]['msg']}") from None


@app.command()
def rollback(
    name: Name = "prod",
    what: Annotated[What, typer.Option(help="data, images or both")] = "both",
    backup: Annotated[str | None, typer.Option(help="its name; without it the last migration's")] = None,
    images: Annotated[Literal["new", "old"] | None, typer.Option(help="of the live platform (new) or the old one (old)")] = None,
    image_map: Annotated[
        dict[str, Any] | None,
        typer.Option(parser=_images, metavar="JSON", help='images by hand: {"Deployment ns/name": {"container": "image"}}'),
    ] = None,
    approved: Approved = False,
    abandon: Annotated[bool, typer.Option(help="only end an unfinished rollback")] = False,
    dry_run: Annotated[bool, typer.Option(help="change nothing")] = False,
    watching: Watching = True,
) -> None:
    """Bring back the data and the images of before; it waits for approval."""
    given = {"backup": backup, "images": images, "image_map": image_map, "approved": approved or None, "abandon": abandon or None}
    _run("rollback", name, watching, what=what, dry_run=dry_run, **given)


@app.command()
def backup(name: Name = "prod", dry_run: Annotated[bool, typer.Option(help="change nothing")] = False, watching: Watching = True) -> None:
    """Take a verified backup now."""
    _run("backup", name, watching, dry_run=dry_run)


@app.command("watch")
def watch_run(name: Name = "prod", run: RunId = None) -> None:
    """Watch a run, also one that somebody else has begun."""
    raise typer.Exit(0 if _followed(run or _found(name)) else 1)


@app.command()
def approve(
    name: Name = "prod",
    run: RunId = None,
    operator: Annotated[str | None, typer.Option(help="your name, for the record")] = None,
    abort: Annotated[bool, typer.Option(help="answer no: the run ends before what it asks for")] = False,
    platform: Annotated[str | None, typer.Option(help="the platform's name, where nobody can type it")] = None,
) -> None:
    """Answer a run that waits at a gate, after reading what it shows."""
    run_id = run or _found(name, StateType.PAUSED)
    if not watch.show(run_id, "gate", console):
        raise ApiError(f"{run_id}: it shows nothing to approve: look at it in Prefect's UI")
    decision = "abort" if abort else "approve"
    typed = platform or typer.prompt(f"To {decision}, type the platform's name")
    answer = {"decision": decision, "operator": operator or getpass.getuser(), "platform": typed}
    try:
        resume_flow_run(run_id, run_input=answer)
    except (NotPausedError, FlowPauseTimeout, RuntimeError) as error:
        raise ApiError(f"{run_id}: it takes no answer any more: {error}") from error
    console.print(f"answered {decision} for {typed}: evenkeel watch {name}", markup=False)


@app.command()
def report(name: Name = "prod", run: RunId = None) -> None:
    """Show the report of the newest run, and where its page lies on the worker's machine."""
    run_id = run or _found(name)
    if not watch.show(run_id, "report", console):
        raise ApiError(f"{run_id}: it has not shown a report yet: evenkeel watch {name}")


def _run(flow: str, name: str, watching: bool, **parameters: Any) -> None:
    run_id = _begin(flow, name, **parameters)
    if watching:
        raise typer.Exit(0 if _followed(run_id) else 1)


def _begin(flow: str, name: str, **parameters: Any) -> UUID:
    with api() as client:
        run = begin(client, flow, name, parameters)
    console.print(f"{flow}/{name}: run {run.id}: evenkeel watch {name} --run {run.id}", markup=False, highlight=False, soft_wrap=True)
    return run.id


def _found(name: str, *states: StateType) -> UUID:
    with api() as client:
        return find(client, name, only=states).id


def _followed(run_id: UUID) -> bool:
    try:
        return watch.follow(run_id, console)
    except KeyboardInterrupt:
        console.print(f"the run goes on: evenkeel watch --run {run_id}", markup=False, soft_wrap=True)
        sys.exit(130)


if __name__ == "__main__":
    app()
