"""Serve all deployments of prefect.yaml from this one process: no work pool, no worker. Ends with the process.

From the project's root: python -m deployments.serve
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import yaml
from prefect import serve
from prefect.client.orchestration import get_client
from prefect.client.schemas.schedules import CronSchedule
from prefect.deployments.runner import RunnerDeployment
from prefect.flows import load_flow_from_entrypoint

from configs.load import load_platform
from deployments.notifications import put_notifications

CATALOGUE = Path(__file__).with_name("prefect.yaml")


def runner_deployments() -> list[RunnerDeployment]:
    """The catalogue's deployments, of flows loaded from this checkout."""
    wanted = yaml.safe_load(CATALOGUE.read_text(encoding="utf-8"))["deployments"]
    return [
        load_flow_from_entrypoint(entry["entrypoint"]).to_deployment(  # type: ignore[misc]  # no coroutine where no loop is running
            name=entry["name"],
            description=entry["description"],
            tags=entry["tags"],
            parameters=entry["parameters"],
            schedules=_schedules(entry),
        )
        for entry in wanted
    ]


def _schedules(entry: dict[str, Any]) -> list[CronSchedule]:
    """The schedule in the config of the entry's parameters; only backups have one, and a rehearsal is never scheduled."""
    config = Path(entry["parameters"].get("config", ""))
    if not entry["entrypoint"].endswith(":backup") or "rehearsal" in entry["tags"] or not config.exists():
        return []
    schedule = load_platform(config).backup.schedule
    return [CronSchedule(cron=schedule.cron, timezone=schedule.timezone)] if schedule else []


def main() -> None:
    """Serve until interrupted. Flow runs get the same variables as those of the work pool."""
    catalogue = yaml.safe_load(CATALOGUE.read_text(encoding="utf-8"))
    os.environ.update(catalogue["definitions"]["pool"]["job_variables"]["env"])
    served = runner_deployments()
    for deployment in served:
        deployment.apply()  # automations are for deployments that the server knows
    with get_client(sync_client=True) as client:
        for name in sorted({deployment.name for deployment in served}):
            config = Path("configs") / f"{name}.yaml"
            put_notifications(client, name, load_platform(config).notify if config.exists() else None)
    serve(*served)


if __name__ == "__main__":
    main()
