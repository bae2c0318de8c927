"""An operator's night in a browser: the form, a gate and its evidence, progress, a kill while waiting, the report."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from deployments import orchestrator, rehearse
from tests.browser import ui
from tests.browser.conftest import DESK
from tests.faults.orchestration import await_end, errors, processes, state
from tests.lab import prefect_api, world
from tests.lab.release import all_ready

pytestmark = pytest.mark.timeout(2400)
MIGRATE = "migrate/lab"
PHONE = {"width": 390, "height": 844}
PICTURES = Path(os.environ.get("PICTURES") or orchestrator.RUN / "pictures")
"""Where the screenshots are put; `PICTURES=docs` renews those of the README."""


@pytest.fixture(scope="session", autouse=True)
def pictures() -> Path:
    PICTURES.mkdir(parents=True, exist_ok=True)
    return PICTURES


def evenkeel(*words: str, **more: Any) -> subprocess.Popen[str]:
    """The console script, on this rehearsal's server."""
    said = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    return subprocess.Popen([orchestrator.BIN / "evenkeel", *words], env=orchestrator.environment(), text=True, **said, **more)


def paused(run: str) -> bool:
    return state(run) == "PAUSED"


def progress_of(run: str) -> str:
    asked = {"artifacts": {"flow_run_id": {"any_": [run]}, "key": {"any_": ["progress-lab"]}}}
    return "".join(str(found["description"]) for found in prefect_api.post("artifacts/filter", asked))


@pytest.fixture(scope="module")
def killed_at_the_second_gate(gated_lab: Path, page: Page) -> str:
    """A run that was begun by the form, approved once in the UI, looked at, and killed while it waited again; its id."""
    run = ui.begin(page, MIGRATE, gated_lab)

    dialog = ui.await_gate(page, within_s=180)
    shown = dialog.inner_text()
    page.screenshot(path=PICTURES / "gate.png")
    for evidence in ("uninstall the old platform on phys-1, phys-2", "can't be undone", "backup", "etcd", "nodes"):
        assert evidence in shown
    ui.answer(dialog, "approve", "night shift", "lab")

    world.eventually("progress", lambda: "join" in progress_of(run), within_s=300)
    shown = ui.artifact(page, run, "progress-lab", "phys-")
    page.screenshot(path=PICTURES / "progress.png")
    assert "left" in shown

    world.eventually("the second gate", lambda: paused(run), within_s=600)
    page.goto(f"{orchestrator.UI}/runs/flow-run/{run}")
    page.get_by_role("button", name="Resume").wait_for()
    page.screenshot(path=PICTURES / "run.png")
    for process in processes(run):
        os.kill(process, signal.SIGKILL)
    return run


@pytest.fixture(scope="module")
def finished(killed_at_the_second_gate: str, gated_lab: Path, page: Page) -> str:
    """The second run, which was watched and answered in a terminal; its id."""
    run = ui.begin(page, MIGRATE, gated_lab)
    world.eventually("the same gate", lambda: paused(run) or state(run) == "FAILED", within_s=300)
    assert paused(run), errors()
    watching = evenkeel("watch", "lab", "--run", run)
    asked = evenkeel("approve", "lab", "--run", run, "--operator", "night shift", "--platform", "lab")
    assert asked.wait(120) == 0, asked.communicate()
    assert await_end(run, within_s=900) == "COMPLETED", errors()
    said, _ = watching.communicate(timeout=60)
    assert watching.returncode == 0, said
    assert "retire" in said
    return run


def test_a_gate_is_asked_again_after_a_kill_and_an_approval_is_kept(killed_at_the_second_gate: str, finished: str) -> None:
    asked = {"artifacts": {"flow_run_id": {"any_": [finished]}, "key": {"any_": ["gate-lab"]}}}

    gates = prefect_api.post("artifacts/filter", asked)

    assert [found["data"].count("waits for approval") for found in gates] == [1], "once, at the gate where it was killed"
    assert "drain vm-1" in gates[0]["data"]


def test_the_killed_run_has_crashed_in_the_ui_and_takes_no_answer(killed_at_the_second_gate: str, finished: str, page: Page) -> None:
    """Its worker has noticed that the process was gone."""
    page.goto(f"{orchestrator.UI}/runs/flow-run/{killed_at_the_second_gate}")
    page.get_by_text("Crashed").first.wait_for()

    assert state(killed_at_the_second_gate) == "CRASHED"
    assert page.get_by_role("button", name="Resume").count() == 0


def test_the_report_is_an_artifact_of_the_run(finished: str, page: Page) -> None:
    shown = ui.artifact(page, finished, "report-lab", "verified")
    page.screenshot(path=PICTURES / "report-artifact.png")

    assert "verified" in shown
    assert all_ready("phys-1")


@pytest.mark.parametrize(("name", "viewport"), [("desk", DESK), ("phone", PHONE)])
def test_the_page_of_the_report_opens_from_disk_and_fits(
    finished: str, chromium: Browser, tmp_path: Path, name: str, viewport: dict[str, int]
) -> None:
    report = rehearse.newest_report(0)
    assert report is not None
    copied = tmp_path / "report.html"
    shutil.copy(report.with_name("report.html"), copied)  # nothing lies beside it
    asked, wrong = list[str](), list[str]()
    page = chromium.new_page(viewport=viewport)  # type: ignore[arg-type]
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: wrong.append(str(error)))

    page.goto(copied.as_uri())
    page.screenshot(path=PICTURES / f"report-{name}.png")

    assert "verified" in page.locator("h1, header").first.inner_text().lower() + page.locator("body").inner_text()[:400]
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
    assert asked == [copied.as_uri()]
    assert wrong == []
