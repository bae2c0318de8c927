"""What a campaign of dry runs costs as it grows: real runs of Prefect in processes of their own, on platforms that are made up.

python -m tests.bench.campaign --platforms 10,30,100 --at-once 4
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
import yaml
from prefect.client.orchestration import get_client
from prefect.exceptions import ObjectNotFound

from tests.bench.fan_out import prefect_server, shown
from tests.bench.measure import cost_of, own_children
from tests.fakes.platform import CONFIG, config, machines_on

DEPLOYMENT = "made-up/bench"
STARTS_WITHIN_S = 120
MOST_S = 3600
HEAD = "| platforms | at once | campaign: s / CPU s / MB | s a platform |\n|---:|---:|---|---:|"

app = typer.Typer(add_completion=False, help=__doc__)


@app.command()
def main(
    platforms: Annotated[str, typer.Option(help="how many, by commas")] = "10,30,100",
    at_once: Annotated[int, typer.Option(help="dry runs at a time", min=1)] = 4,
) -> None:
    """Measure, and print a table."""
    rows = [HEAD]
    with tempfile.TemporaryDirectory() as folder, prefect_server() as api, serving(at_once, api):
        others = own_children()
        for size in (int(one) for one in platforms.split(",")):
            script = f"from flows.campaign import campaign; campaign({str(inventory(Path(folder), size, at_once))!r}, dry_run=True)"
            cost = cost_of([sys.executable, "-c", script], {**os.environ, "PREFECT_API_URL": api}, others=others, within_s=MOST_S)
            rows.append(f"| {size} | {at_once} | {shown(cost)} | {cost.elapsed_s / size:.1f} |")
            typer.echo(rows[-1])
    typer.echo("\n" + "\n".join(rows))


def inventory(folder: Path, size: int, at_once: int) -> Path:
    """A campaign over as many platforms, each on machines of its own."""
    paths = []
    for number in range(size):
        paths.append(folder / f"p-{number}.yaml")
        facts = config(platform=f"p-{number}", http_checks=[], targets=CONFIG["targets"][1:])
        machines = machines_on(f"10.0.{number}.")
        paths[-1].write_text(yaml.safe_dump({**facts, "sources": machines["sources"], "targets": machines["targets"][1:]}))
    canary, *others = map(str, paths)
    path = folder / f"campaign-{size}.yaml"
    facts = {"campaign": f"of-{size}", "canary": canary, "others": others, "at_once": at_once, "deployment": DEPLOYMENT}
    path.write_text(yaml.safe_dump(facts))
    return path


@contextmanager
def serving(at_once: int, api: str) -> Iterator[None]:
    """The deployment is there, and begins its runs within two seconds, as a rehearsal's worker does."""
    environment = {**os.environ, "PREFECT_API_URL": api, "PREFECT_RUNNER_POLL_FREQUENCY": "2"}
    name = DEPLOYMENT.partition("/")[2]
    with tempfile.TemporaryFile() as log:
        command = [sys.executable, "-m", "tests.bench.made_up", name, str(at_once)]
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        deadline = time.monotonic() + STARTS_WITHIN_S
        while not deployed():
            if server.poll() is not None or time.monotonic() > deadline:
                raise SystemExit("the deployment could not be served")
            time.sleep(0.2)
        try:
            yield
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(60)


def deployed() -> bool:
    """Whether its runs can be asked for."""
    with get_client(sync_client=True) as client:
        try:
            return client.read_deployment_by_name(DEPLOYMENT) is not None
        except ObjectNotFound:
            return False


if __name__ == "__main__":
    app()
