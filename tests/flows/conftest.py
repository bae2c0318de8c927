"""Prefect itself, in this process, for all tests of flows; it takes seconds to start, so no other tests have it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from prefect.settings import (
    PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
    PREFECT_LOGGING_TO_API_ENABLED,
    PREFECT_SERVER_SERVICES_EVENT_PERSISTER_ENABLED,
    PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_ENABLED,
    PREFECT_UI_URL,
    temporary_settings,
)
from prefect.testing.utilities import prefect_test_harness

from tests.fakes.clock import FakeTime
from tests.fakes.platform import platform
from tests.fakes.world import World


@pytest.fixture(scope="session", autouse=True)
def engine() -> Iterator[None]:
    # The thread of a flow's heart beat sleeps in whole seconds, and the flow's end waits for it.
    quick = {PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None, PREFECT_LOGGING_TO_API_ENABLED: False}
    # What writes events down makes SQLite busy, and a flow that begins meanwhile waits 2 s for its next try.
    calm = {
        PREFECT_SERVER_SERVICES_EVENT_PERSISTER_ENABLED: False,
        PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_ENABLED: False,
        PREFECT_UI_URL: "http://127.0.0.1:4200",  # what messages link to; by itself this server has none
    }
    with (
        temporary_settings(calm),
        prefect_test_harness(server_startup_timeout=120),
        temporary_settings(quick),
    ):
        yield


@pytest.fixture
def world(folder: Path, time: FakeTime) -> World:
    """A platform without URLs to ask: nobody answers there."""
    return World(folder, time, platform(http_checks=[]))
