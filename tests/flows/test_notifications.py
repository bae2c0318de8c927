"""Prefect itself tells people of a platform's runs: its server turns states into messages of a block."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from queue import Empty, Queue
from urllib.parse import parse_qs, urlsplit

import pytest
from prefect.blocks.notifications import CustomWebhookNotificationBlock
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import State, StateType
from prefect.flows import load_flow_from_entrypoint

from configs.observability import Notify, Occasion
from deployments.notifications import put_notifications

# What Prefect's own `apply` and `save` leave open, the garbage collector closes: here, and not in a test that comes later.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
WITHIN_S = 60
"""Prefect's services look every few seconds; a busy machine takes several times that."""
STATES = {
    "Paused": State(type=StateType.PAUSED, name="Paused", message="waits for an answer"),
    "Failed": State(type=StateType.FAILED, name="Failed", message="phys-2: docker does not run: systemctl start docker"),
    "Completed": State(type=StateType.COMPLETED, name="Completed", message="verified"),
}


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    yield
    gc.collect()


@pytest.fixture(scope="module")
def heard() -> Iterator[tuple[str, Queue[str]]]:
    """A URL, and what was posted there."""
    messages: Queue[str] = Queue()

    class Listener(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = parse_qs(urlsplit(self.path).query)
            messages.put("\n".join(asked["subject"] + asked["body"]))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Listener) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/", messages
        server.shutdown()


@pytest.fixture(scope="module")
def client() -> Iterator[SyncPrefectClient]:
    with get_client(sync_client=True) as client:
        for flow in ("migrate", "rollback", "backup"):
            load_flow_from_entrypoint(f"flows/{flow}.py:{flow}").to_deployment(name="night").apply()
        yield client
        for run in client.read_flow_runs():
            if run.state is not None and run.state.is_paused():
                client.delete_flow_run(run.id)  # other tests look for what waits at a gate


@pytest.fixture(scope="module")
def block(heard: tuple[str, Queue[str]]) -> str:
    hook = CustomWebhookNotificationBlock(name="hook", url=heard[0], params={"subject": "{{subject}}", "body": "{{body}}"})
    hook.save("on-duty")
    return "custom-webhook/on-duty"


def comes_into(client: SyncPrefectClient, flow: str, state: str) -> None:
    run = client.create_flow_run_from_deployment(client.read_deployment_by_name(f"{flow}/night").id)
    client.set_flow_run_state(run.id, State(type=StateType.RUNNING, name="Running"), force=True)
    client.set_flow_run_state(run.id, STATES[state], force=True)


@pytest.mark.parametrize(
    ("flow", "state", "said"),
    [
        ("migrate", "Paused", "evenkeel approve night"),
        ("backup", "Failed", "systemctl start docker"),
        ("rollback", "Completed", "evenkeel report night"),
    ],
)
def test_people_are_notified(
    client: SyncPrefectClient, heard: tuple[str, Queue[str]], block: str, flow: str, state: str, said: str
) -> None:
    put_notifications(client, "night", Notify(block=block))

    comes_into(client, flow, state)

    message = heard[1].get(timeout=WITHIN_S)
    assert message.startswith(f"{flow}/night: {state}\n")
    assert said in message
    assert "/runs/flow-run/" in message


def test_only_what_the_config_names_is_sent(client: SyncPrefectClient, heard: tuple[str, Queue[str]], block: str) -> None:
    put_notifications(client, "night", Notify(block=block, on=(Occasion.FAILED,)))

    comes_into(client, "backup", "Completed")
    comes_into(client, "migrate", "Paused")
    comes_into(client, "migrate", "Failed")

    assert heard[1].get(timeout=WITHIN_S).startswith("migrate/night: Failed\n")
    with pytest.raises(Empty):
        heard[1].get(timeout=1)


def test_they_are_replaced_and_taken_away(client: SyncPrefectClient, block: str) -> None:
    for _ in range(2):
        made = put_notifications(client, "night", Notify(block=block))
        assert made == ["evenkeel night: failed", "evenkeel night: waiting", "evenkeel night: finished"]
        assert sorted(one.name for one in client.read_automations() if one.name.startswith("evenkeel night")) == sorted(made)

    assert put_notifications(client, "night", None) == []
    assert [one for one in client.read_automations() if one.name.startswith("evenkeel night")] == []


def test_a_block_that_is_not_there_is_refused(client: SyncPrefectClient) -> None:
    with pytest.raises(SystemExit, match=r"notify: no block slack-webhook/nobody: .*prefect block ls"):
        put_notifications(client, "night", Notify(block="slack-webhook/nobody"))
