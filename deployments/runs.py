"""The runs of a platform, in Prefect's API: begun, found, looked at, answered. It works from any machine that has PREFECT_API_URL."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterFlowRunId,
    ArtifactFilterKey,
    DeploymentFilter,
    DeploymentFilterName,
    FlowFilter,
    FlowFilterName,
    FlowRunFilter,
    FlowRunFilterParentFlowRunId,
    FlowRunFilterState,
    FlowRunFilterStateType,
    LogFilter,
    LogFilterFlowRunId,
    LogFilterLevel,
)
from prefect.client.schemas.objects import Artifact, FlowRun, StateType
from prefect.client.schemas.sorting import ArtifactSort, FlowRunSort, LogSort
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError
from prefect.settings import PREFECT_API_URL

from flows.progress import PROGRESS, from_parts
from tasks.report.progress import Progress

FLOWS = ("migrate", "rollback", "backup", "preflight")
ACTIVE = (StateType.RUNNING, StateType.PAUSED, StateType.PENDING, StateType.CANCELLING)
WARNING = 30
MOST_WARNINGS = 6
UNREAD = "the progress of this run can't be read: is its worker of another release? Its state is shown all the same"
HOW = "set -a; . /etc/evenkeel/evenkeel.env; set +a"


class ApiError(Exception):
    """Prefect's server can't be asked, or does not know what was asked for. Its text says what to type."""


@dataclass(frozen=True)
class Look:
    """What the API says of a run at one moment."""

    run: FlowRun
    progress: Progress | None
    """None until the run has published its first, and for runs of flows that publish none."""
    warnings: list[str] = field(default_factory=list)
    silent: str = ""
    """Why there was no newer look."""

    @property
    def state(self) -> str:
        return str(self.run.state_name or "unknown")

    @property
    def over(self) -> bool:
        return self.run.state is not None and self.run.state.is_final()

    @property
    def paused(self) -> bool:
        return self.run.state is not None and self.run.state.is_paused()


@contextmanager
def api() -> Iterator[SyncPrefectClient]:
    """The server that PREFECT_API_URL names; without one Prefect would start a server of its own, which knows no run."""
    url = PREFECT_API_URL.value()
    if not url:
        raise ApiError(f"PREFECT_API_URL is not set: {HOW}")
    try:
        with get_client(sync_client=True) as client:
            yield client
    except PrefectHTTPStatusError as error:
        refused = error.response.status_code in (401, 403)
        raise ApiError(f"{url}: {f'it refuses the password: {HOW}' if refused else error}") from error
    except (httpx.TransportError, RuntimeError) as error:
        raise ApiError(f"{url}: no Prefect server answers: {error}: systemctl status evenkeel-server") from error


def begin(client: SyncPrefectClient, flow: str, name: str, parameters: Mapping[str, Any]) -> FlowRun:
    """Let a worker run this deployment, with what is given; the rest is as the deployment has it."""
    try:
        deployment = client.read_deployment_by_name(f"{flow}/{name}")
    except ObjectNotFound:
        raise ApiError(f"{flow}/{name}: not deployed: prefect deploy --all --prefect-file deployments/prefect.yaml") from None
    given = {key: value for key, value in parameters.items() if value is not None}
    return client.create_flow_run_from_deployment(deployment.id, parameters=given)


def find(client: SyncPrefectClient, name: str, *, only: tuple[StateType, ...] = ()) -> FlowRun:
    """The newest run of the platform's deployments that is under way, else the newest that has begun; of these states `only`."""
    for states in (only,) if only else (ACTIVE, (*ACTIVE, StateType.COMPLETED, StateType.FAILED, StateType.CRASHED, StateType.CANCELLED)):
        found = client.read_flow_runs(
            flow_filter=FlowFilter(name=FlowFilterName(any_=list(FLOWS))),
            deployment_filter=DeploymentFilter(name=DeploymentFilterName(any_=[name])),
            flow_run_filter=FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=list(states)))),
            sort=FlowRunSort.START_TIME_DESC,
            limit=1,
        )
        if found:
            return found[0]
    what = " or ".join(state.value.lower() for state in only) or "known"
    raise ApiError(f"{name}: no run of {', '.join(f'{flow}/{name}' for flow in FLOWS)} is {what}: evenkeel migrate {name} begins one")


def look(client: SyncPrefectClient, run_id: UUID) -> Look:
    """The run, its progress and its last warnings, those of its subflows, too."""
    run = client.read_flow_run(run_id)
    parts = client.read_flow_runs(flow_run_filter=FlowRunFilter(parent_flow_run_id=FlowRunFilterParentFlowRunId(any_=[run_id])))
    only = LogFilter(
        level=LogFilterLevel(ge_=WARNING), flow_run_id=LogFilterFlowRunId(any_=[run_id, *(part.id for part in parts)])
    )
    logged = [entry.message for entry in client.read_logs(only, limit=MOST_WARNINGS, sort=LogSort.TIMESTAMP_DESC)]
    try:
        progress = _progress(client, run_id)
        known = progress.warnings if progress else []
    except ValueError:
        progress, known = None, [UNREAD]
    warnings = dict.fromkeys([*known, *reversed(logged)])
    return Look(run, progress, list(warnings)[-MOST_WARNINGS:])


def shown(client: SyncPrefectClient, run_id: UUID, kind: str) -> Artifact | None:
    """The newest text of this kind (report, plan, gate) that the run has shown in Prefect's UI; its description says where its page is."""
    only = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[run_id]), key=ArtifactFilterKey(like_=f"{kind}-"))
    found = client.read_artifacts(artifact_filter=only, sort=ArtifactSort.UPDATED_DESC)
    return next((one for one in found if (one.key or "").startswith(f"{kind}-")), None)  # a platform may be called plan-b


def _progress(client: SyncPrefectClient, run_id: UUID) -> Progress | None:
    """The newest; None until there is one. Raises ValueError where another release has written it."""
    artifact = shown(client, run_id, PROGRESS)
    return from_parts(artifact.metadata_ or {}) if artifact else None
