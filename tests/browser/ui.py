"""What an operator does in Prefect's UI, as clicks: its form, its pages of runs and artifacts, its dialog at a gate."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Locator, Page

from deployments import orchestrator
from tests.lab import prefect_api, world

DIALOG = "#p-modal-teleport-target"
FADES_IN_MS = 1000  # before that, a picture shows what is behind it, too


def runs_of(deployment: str) -> list[str]:
    """The ids of a deployment's runs, the newest first."""
    known = prefect_api.get(f"deployments/name/{deployment}")["id"]
    asked = {"deployments": {"id": {"any_": [known]}}, "sort": "EXPECTED_START_TIME_DESC"}
    return [str(run["id"]) for run in prefect_api.post("flow_runs/filter", asked)]


def begin(page: Page, deployment: str, config: Path) -> str:
    """Fill in the form of a deployment, submit it, and open the page of the run; its id."""
    before = runs_of(deployment)
    page.goto(f"{orchestrator.UI}/deployments/deployment/{prefect_api.get(f'deployments/name/{deployment}')['id']}")
    page.get_by_role("button", name="Run", exact=True).first.click()
    page.get_by_text("Custom run").first.click()
    page.locator("textarea").first.fill(str(config))
    page.get_by_role("button", name="Submit").click()
    world.eventually(f"a run of {deployment}", lambda: len(runs_of(deployment)) > len(before), within_s=60)
    run = runs_of(deployment)[0]
    page.goto(f"{orchestrator.UI}/runs/flow-run/{run}")
    return run


def await_gate(page: Page, *, within_s: float) -> Locator:
    """Wait until this page's run asks for approval, and open the dialog in which it does."""
    resume = page.get_by_role("button", name="Resume")
    resume.wait_for(timeout=within_s * 1000)
    resume.click()
    dialog = page.locator(DIALOG)
    dialog.get_by_text("typed out").wait_for()
    page.wait_for_timeout(FADES_IN_MS)
    return dialog


def answer(dialog: Locator, decision: str, operator: str, platform: str) -> None:
    """Choose, type and submit."""
    dialog.locator(".p-select-button__control").first.press("Space")
    dialog.page.get_by_role("option", name=decision).click()
    operators, platforms = dialog.locator("textarea").all()
    operators.fill(operator)
    platforms.fill(platform)
    dialog.get_by_role("button", name="Submit").click()


def artifact(page: Page, run: str, name: str, holds: str) -> str:
    """Open an artifact of a run from its page, and read it once this text is drawn."""
    page.goto(f"{orchestrator.UI}/runs/flow-run/{run}")
    page.get_by_text("Artifacts", exact=True).first.click()
    page.get_by_text(name, exact=True).first.click()
    page.get_by_text(holds).first.wait_for()
    return page.inner_text("body")
