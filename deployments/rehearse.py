"""The whole migration, rehearsed: a fresh lab, a Prefect server, the deployment run and watched, its report's path printed.

python -m deployments.rehearse: exit status 0 only if the move was verified.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import typer
from rich.console import Console

from deployments import orchestrator
from deployments.orchestrator import BIN, ROOT, UI

app = typer.Typer(add_completion=False, help=__doc__)
console = Console(highlight=False)


def lab_secrets() -> dict[str, str]:
    """What `lab secrets` exports, as variables."""
    said = subprocess.run([BIN / "lab", "secrets"], capture_output=True, text=True, check=True).stdout
    pairs = (line.removeprefix("export ").partition("=") for line in said.splitlines() if line.startswith("export "))
    return {name: value.strip("'\"") for name, _, value in pairs}


def newest_report(since: float) -> Path | None:
    """The report of the run that began last, if one began after `since` (seconds since the epoch)."""
    found = [path for path in (ROOT / "reports" / "lab").glob("*/report.json") if path.stat().st_mtime >= since]
    return max(found, default=None)


@app.command()
def main(fresh: bool = typer.Option(True, help="begin with a lab in its initial state")) -> None:
    """Rehearse the migration on the lab."""
    begun = time.time()
    orchestrator.start_server()
    _lab("up", *(["--fresh"] if fresh else []))
    orchestrator.await_server()
    orchestrator.start_worker(lab_secrets())
    console.print(f"watch it: {UI}")
    ended_well = orchestrator.prefect("deployment", "run", "migrate/lab", "--watch") == 0
    report = newest_report(begun)
    outcome = json.loads(report.read_text(encoding="utf-8"))["outcome"] if report else "no report"
    console.print(f"\noutcome   {outcome}\nreport    {report}\nui        {UI}\nended in  {time.time() - begun:.0f} s")
    console.print(f"by hand   export PREFECT_API_URL={UI}/api; prefect deployment run migrate/lab --watch")
    console.print("stop it   make rehearse-down")
    sys.exit(0 if ended_well and outcome == "verified" else 1)


def _lab(*words: str) -> None:
    if subprocess.run([BIN / "lab", *words], cwd=ROOT, check=False).returncode != 0:
        raise SystemExit(f"lab {' '.join(words)} failed, see above")


if __name__ == "__main__":
    app()
