"""Tell Prefect what the configs say of their deployments: when backups run, and who hears of runs.

From the project's root, after every `prefect deploy`: python -m deployments.configure [NAME...]
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.schedules import CronSchedule
from prefect.exceptions import ObjectNotFound

from configs.database import Schedule
from configs.load import load_platform
from deployments.notifications import put_notifications

app = typer.Typer(add_completion=False, help=__doc__)


@app.command()
def main(names: Annotated[list[str] | None, typer.Argument(help="of deployments and their configs")] = None) -> None:
    """Set the schedule of backup/NAME and the notifications of NAME's runs, prod's by default.

    A config that does not exist yet is reported and skipped.
    """
    with get_client(sync_client=True) as client:
        for name in names or ["prod"]:
            path = Path("configs") / f"{name}.yaml"
            if not path.exists():
                typer.echo(f"{name}: no {path}, no schedule and no notifications")
                continue
            platform = load_platform(path)
            schedule = platform.backup.schedule
            put_schedule(client, f"backup/{name}", schedule)
            typer.echo(f"backup/{name}: {schedule.cron + ', ' + schedule.timezone if schedule else 'no schedule'}")
            made = put_notifications(client, name, platform.notify)
            typer.echo(f"{name}: {', '.join(made) or 'no notifications'}")


def put_schedule(client: SyncPrefectClient, deployment: str, schedule: Schedule | None) -> None:
    """Make `schedule` the deployment's only one. Raises SystemExit when the deployment is unknown to the server."""
    try:
        found = client.read_deployment_by_name(deployment)
    except ObjectNotFound:
        raise SystemExit(f"{deployment}: not deployed yet: prefect deploy --all --prefect-file deployments/prefect.yaml") from None
    for old in found.schedules:
        client.delete_deployment_schedule(found.id, old.id)
    if schedule is not None:
        cron = CronSchedule(cron=schedule.cron, timezone=schedule.timezone)
        client.create_deployment_schedules(found.id, [DeploymentScheduleCreate(schedule=cron, active=True)])


if __name__ == "__main__":
    app()
