"""What all fault tests need: the lab's secrets, a Prefect server, and the end state of an undisturbed migration."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from deployments import orchestrator
from deployments.lab import inventory
from tests.faults import state
from tests.faults.kills import run_until_killed
from tests.faults.story import STORIES
from tests.lab import world

WIDTH = 160


@dataclass(frozen=True)
class Uninterrupted:
    """The state that every migration must end in, and how long each act took."""

    state: dict[str, Any]
    ledger: Path


@pytest.fixture(scope="session")
def secrets() -> dict[str, str]:
    return world.secrets()


@pytest.fixture(scope="session")
def server() -> Iterator[None]:
    orchestrator.start_server()
    orchestrator.await_server()
    yield
    orchestrator.stop("server")
    world.lab("down")


@pytest.fixture(scope="module")
def special_lab(request: pytest.FixtureRequest, server: None) -> Iterator[None]:
    """A fresh lab as the module's LAB, a variable and its value, asks for it."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv(*request.module.LAB)
        world.lab("up", "--fresh", timeout_s=3000)
        yield


@pytest.fixture
def config(special_lab: None, tmp_path: Path) -> Path:
    """The file of that lab's configuration."""
    path = tmp_path / "lab.yaml"
    path.write_text(inventory.config(), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def uninterrupted(server: None, secrets: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Uninterrupted:
    world.lab("up", "--fresh", timeout_s=3000)
    ledger = tmp_path_factory.mktemp("kills") / "ledger"
    assert run_until_killed("migrate", ledger, (), secrets) is None
    return Uninterrupted(state.the_lab("phys-1"), ledger)


def pytest_terminal_summary() -> None:
    """The table of everything that was injected, and its totals."""
    console = Console(width=WIDTH)
    for story in STORIES:
        console.print(story.table())
    for story in STORIES:
        console.print(story.totals(), highlight=False)
