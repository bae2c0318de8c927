"""Several platforms move: a canary first, then the others, some at a time. After a failure none is begun."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from uuid import UUID

from prefect import flow, task
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterFlowRunId,
    DeploymentFilter,
    DeploymentFilterId,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.exceptions import ObjectNotFound
from prefect.futures import PrefectFuture, as_completed

from configs.campaign import Campaign
from configs.errors import ConfigError, EvenkeelError
from configs.load import load_campaign
from configs.platform import Platform
from flows.report import show
from tasks.campaign.report import FAILED, MOVED, Move, as_markdown

log = logging.getLogger(__name__)

ALIVE = (StateType.SCHEDULED, StateType.PENDING, StateType.RUNNING, StateType.PAUSED, StateType.CANCELLING)
POLL_S = 5  # a platform takes minutes, and a hundred of them ask one server


class CampaignError(EvenkeelError):
    """A platform of a campaign has not moved."""

    id = "campaign-stopped"


@flow(name="campaign", flow_run_name="campaign {inventory}, dry run: {dry_run}")
def campaign(inventory: str = "configs/campaign.yaml", dry_run: bool = False) -> None:
    """Make every platform of the inventory move, each by a run of its own. The same command continues, or confirms.

    Args:
        inventory: path of the campaign's YAML, from the project's root.
        dry_run: begin dry runs of them all.
    """
    plan, platforms = load_campaign(Path(inventory))
    deployment = _deployed(plan.deployment)
    moves = {config: Move(platform.name, str(config)) for config, platform in platforms.items()}
    try:
        for config, move in move_all(plan, platforms, deployment, dry_run=dry_run):
            moves[config] = move
            log.info("%s: %s: %s", move.platform, move.outcome, move.said)
    finally:
        text = as_markdown(plan.campaign, list(moves.values()), dry_run=dry_run)
        log.info("%s", text)
        show(text, f"campaign-{plan.campaign}", f"campaign {plan.campaign}: how each platform has moved")
    failed = [move for move in moves.values() if move.outcome != MOVED]
    if failed:
        first = next(move for move in failed if move.outcome == FAILED)
        others = f"; {len(failed) - 1} others have not moved, either" if failed[1:] else ""
        raise CampaignError(f"{first.platform}: {first.said}{others}: see its report, then run the same command again")


def _deployed(name: str) -> UUID:
    with get_client(sync_client=True) as client:
        try:
            return client.read_deployment_by_name(name).id
        except ObjectNotFound:
            raise ConfigError(
                f"deployment: {name} is not deployed: prefect deploy --all --prefect-file deployments/prefect.yaml"
            ) from None


def move_all(
    plan: Campaign, platforms: dict[Path, Platform], deployment: UUID, *, dry_run: bool
) -> Iterator[tuple[Path, Move]]:
    """Each platform as it has moved, in the order in which they end. After a failure those under way end, and none is begun."""
    (rest := list(plan.configs)).reverse()
    under_way: dict[PrefectFuture[Move], Path] = {}
    stopped, width = False, 1
    while under_way or (rest and not stopped):
        while rest and not stopped and len(under_way) < width:
            config = rest.pop()
            under_way[move_platform.submit(platforms[config].name, str(config), deployment, dry_run=dry_run)] = config
        ended = next(as_completed(list(under_way)))
        move = ended.result()
        yield under_way.pop(ended), move
        stopped, width = stopped or move.outcome != MOVED, plan.at_once  # the canary has ended


@task(name="move platform", task_run_name="move {platform}")
def move_platform(platform: str, config: str, deployment: UUID, *, dry_run: bool) -> Move:
    """Wait until the platform's run has ended: one that is under way already, by whoever began it, or a new one."""
    wanted = {"config": config, "dry_run": dry_run}
    run = _under_way(deployment, wanted)
    if run is not None:
        log.info("%s: its run %s is under way", platform, run.name)
    else:
        with get_client(sync_client=True) as client:
            run = client.create_flow_run_from_deployment(deployment, parameters=wanted, name=f"{platform}, dry run: {dry_run}")
    return _moved(platform, config, _ended(run))


def _ended(run: FlowRun) -> FlowRun:
    """The run once it has ended. A server that does not answer meanwhile is asked again: the run goes on without it."""
    while run.state is None or not run.state.is_final():
        time.sleep(POLL_S)
        try:
            with get_client(sync_client=True) as client:
                run = client.read_flow_run(run.id)
        except ObjectNotFound:
            raise CampaignError(f"{run.name}: this run is gone from Prefect's server: run the same command again") from None
        except Exception as error:  # its client raises what it meets on the way: httpx's errors, RuntimeError, its own
            log.warning("%s: Prefect's server does not answer, asking again: %r", run.name, error)
    return run


def _under_way(deployment: UUID, wanted: dict[str, object]) -> FlowRun | None:
    """A campaign that was killed has left its runs alive; a second run of a platform would be refused by its lock.

    One that does less, a dry run or a part of the migration, is another run.
    """
    alive = FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=list(ALIVE))))
    of_deployment = DeploymentFilter(id=DeploymentFilterId(any_=[deployment]))
    with get_client(sync_client=True) as client:
        runs = client.read_flow_runs(flow_run_filter=alive, deployment_filter=of_deployment)
    return next((run for run in runs if _asked(run.parameters) == _asked(wanted)), None)


def _asked(parameters: Mapping[str, object]) -> list[object]:
    return [parameters.get(name) or None for name in ("config", "dry_run", "until", "only")]


def _moved(platform: str, config: str, run: FlowRun) -> Move:
    of_run = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[run.id]))
    with get_client(sync_client=True) as client:
        shown = [one.description or "" for one in client.read_artifacts(artifact_filter=of_run) if one.key == f"report-{platform}"]
    page = "".join(shown[:1]).partition(": ")[2]
    state = run.state
    good, said = (state.is_completed(), state.message or state.name) if state else (False, "has no state")
    return Move(platform, config, MOVED if good else FAILED, run.name, said or "", run.start_time, run.end_time, page)
