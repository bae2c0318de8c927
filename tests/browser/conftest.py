"""The lab, Prefect with a worker, and Debian's Chromium, which playwright drives."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from playwright.sync_api import Browser, Page, sync_playwright

from deployments import orchestrator, rehearse
from deployments.lab import inventory
from tests.lab import world

DESK = {"width": 1400, "height": 1000}
ANSWER_S = 60.0  # beside a migration, two cores draw a page in several seconds


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    executable = shutil.which("chromium")
    assert executable, "apt-get install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])  # as root it starts with none
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def page(chromium: Browser) -> Page:
    page = chromium.new_page(viewport=DESK)
    page.set_default_timeout(ANSWER_S * 1000)
    return page


@pytest.fixture(scope="session")
def gated_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The lab in its initial state, a worker that serves `migrate/lab`, and a config of it with gates."""
    orchestrator.start_server()
    world.lab("up", "--fresh", timeout_s=3000)
    orchestrator.await_server()
    orchestrator.start_worker(rehearse.lab_secrets())
    config = tmp_path_factory.mktemp("configs") / "gated.yaml"
    config.write_text(yaml.safe_dump({**yaml.safe_load(inventory.config()), "gates": ["begin", "drain"]}), encoding="utf-8")
    yield config
    orchestrator.stop("worker")
    orchestrator.stop("server")
    world.lab("down")
