"""Prefect automations that tell people of a platform's runs, by the notification block that the config names."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.events.actions import SendNotification
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification
from prefect.exceptions import ObjectNotFound

from configs.observability import Notify, Occasion

STATES = {
    Occasion.FAILED: ("Failed", "Crashed", "TimedOut", "Cancelled"),
    Occasion.WAITING: ("Paused",),  # only a gate pauses a run
    Occasion.FINISHED: ("Completed",),
}
"""By occasion, the names of Prefect's states, with which its events' names end."""
FLOWS = {
    Occasion.FAILED: ("migrate", "rollback", "backup"),
    Occasion.WAITING: ("migrate", "rollback"),
    Occasion.FINISHED: ("migrate", "rollback"),  # a backup of every night that went well is no news
}
WHAT_NOW = {
    Occasion.FAILED: "Its last line says what to type; the same command continues it.",
    Occasion.WAITING: "Read the evidence, and answer in the UI or by: evenkeel approve {name}",
    Occasion.FINISHED: "Its report is an artifact of the run: evenkeel report {name}",
}
SUBJECT = "{{ flow.name }}/{{ deployment.name }}: {{ flow_run.state.name }}"
BODY = "{{ flow_run.name }}\n{{ flow_run.state.message or '' }}\n"
LINK = "\n{{ flow_run|ui_url or '' }}"


def put_notifications(client: SyncPrefectClient, name: str, notify: Notify | None) -> list[str]:
    """Make these the only automations for the platform's deployments NAME; the names of those that are there then.

    Raises SystemExit when the block is unknown to the server.
    """
    block = _block(client, notify.block) if notify else None
    for occasion in Occasion:
        for old in client.read_automations_by_name(_called(name, occasion)):
            client.delete_automation(old.id)
    if notify is None or block is None:
        return []
    wanted = [automation(client, name, occasion, block) for occasion in notify.on]
    for one in wanted:
        client.create_automation(one)
    return [one.name for one in wanted]


def automation(client: SyncPrefectClient, name: str, occasion: Occasion, block: UUID) -> AutomationCore:
    """Sends a message by `block` each time that a run of these deployments comes into such a state."""
    known = [f"prefect.deployment.{client.read_deployment_by_name(f'{flow}/{name}').id}" for flow in FLOWS[occasion]]
    return AutomationCore(
        name=_called(name, occasion),
        description="Made from the config's `notify` by deployments.configure, which replaces it.",
        trigger=EventTrigger(
            posture=Posture.Reactive,
            match=ResourceSpecification({"prefect.resource.id": "prefect.flow-run.*"}),
            match_related=ResourceSpecification({"prefect.resource.role": "deployment", "prefect.resource.id": known}),
            for_each={"prefect.resource.id"},
            expect={f"prefect.flow-run.{state}" for state in STATES[occasion]},
            threshold=1,
            within=timedelta(0),
        ),
        actions=[SendNotification(block_document_id=block, subject=SUBJECT, body=BODY + WHAT_NOW[occasion].format(name=name) + LINK)],
    )


def _called(name: str, occasion: Occasion) -> str:
    return f"evenkeel {name}: {occasion.value}"


def _block(client: SyncPrefectClient, called: str) -> UUID:
    kind, _, name = called.partition("/")
    try:
        return client.read_block_document_by_name(name, kind).id
    except ObjectNotFound:
        raise SystemExit(f"notify: no block {called}: make it in the UI (Blocks), or see prefect block ls") from None
