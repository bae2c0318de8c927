"""Runs of deployments as Prefect's server sees them, and the processes that they really have."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

from deployments import orchestrator
from tests.lab import prefect_api, world

FINAL = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")


def begin(deployment: str) -> str:
    """Begin a run as the UI does; its id."""
    known = prefect_api.get(f"deployments/name/{deployment}")
    return str(prefect_api.post(f"deployments/{known['id']}/create_flow_run", {"parameters": {"ignore_interruption": True}})["id"])


def state(run: str) -> str:
    return str(prefect_api.get(f"flow_runs/{run}")["state"]["type"])


def await_end(run: str, *, within_s: float = 600) -> str:
    world.eventually(f"run {run} ends", lambda: state(run) in FINAL, within_s=within_s)
    return state(run)


def force(run: str, kind: str) -> None:
    """Set a false state on a run, as a person or an automation can."""
    prefect_api.post(f"flow_runs/{run}/set_state", {"state": {"type": kind, "message": "forced by a test"}, "force": True})


def processes(run: str) -> list[int]:
    """The processes on this machine that work on that run."""
    return [process for process, worked_on in orchestrator.runs().items() if worked_on == run]


def home_of(process: int) -> str:
    """The Prefect home of the worker that has begun this process."""
    words = Path(f"/proc/{process}/environ").read_text(errors="replace").split("\0")
    return next(word.partition("=")[2] for word in words if word.startswith("PREFECT_HOME="))


def stop_all(run: str) -> None:
    """The worker's service is stopped: systemd sends SIGTERM to everything that belongs to it."""
    for process in (int((orchestrator.RUN / "worker.pid").read_text()), *processes(run)):
        os.kill(process, signal.SIGTERM)


def kill_all(run: str) -> None:
    """The processes of the run and of its worker are killed together, as in a power cut."""
    worker = int((orchestrator.RUN / "worker.pid").read_text())
    os.killpg(worker, signal.SIGKILL)
    for process in processes(run):
        os.kill(process, signal.SIGKILL)


def kill_server() -> None:
    os.killpg(int((orchestrator.RUN / "server.pid").read_text()), signal.SIGKILL)
    world.eventually("the server is gone", lambda: not orchestrator.alive("server"), within_s=10)


def errors() -> list[str]:
    """The errors of all reports, oldest first."""
    found = sorted((orchestrator.ROOT / "reports/lab").glob("*/report.json"))
    return [str(json.loads(path.read_text(encoding="utf-8"))["error"]) for path in found]
