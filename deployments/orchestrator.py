"""A Prefect server and a worker on this machine, for rehearsals: started once, found again, stopped by their process ids.

python -m deployments.orchestrator up | down
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import httpx
import typer
from rich.console import Console

ROOT = Path(__file__).resolve().parent.parent
RUN = ROOT / ".run"
BIN = Path(sys.executable).parent
PORT = int(os.environ.get("PREFECT_PORT", "4200"))
UI = f"http://127.0.0.1:{PORT}"
START_TIMEOUT_S = 180  # a cold start makes its database first: 10 s by itself, several times that beside a booting lab

_children: dict[str, subprocess.Popen[bytes]] = {}
"""What this very process has started; others find their processes by the files in .run/."""

app = typer.Typer(add_completion=False, help=__doc__)
console = Console(highlight=False)


def environment() -> dict[str, str]:
    """The environment of every Prefect process of a rehearsal. Its state is in .run/; the user's own Prefect is not used."""
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("PREFECT_") or name == "PREFECT_PORT"},
        "PREFECT_HOME": str(RUN / "prefect"),
        "PREFECT_API_URL": f"{UI}/api",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "PREFECT_LOGGING_EXTRA_LOGGERS": "flows,tasks,blocks",
        "PREFECT_CLI_COLORS": "false",
        "PREFECT_WORKER_QUERY_SECONDS": "2",  # by default a person waits 10 s for a run to begin
    }


def prefect(*words: str) -> int:
    """Run Prefect's own command against this server with its output shown; its exit code."""
    return subprocess.run([BIN / "prefect", *words], cwd=ROOT, env=environment(), check=False).returncode


def _require_schedules() -> None:
    with (RUN / "prefect.log").open("ab") as log:
        done = subprocess.run(
            [sys.executable, "-m", "deployments.configure", "prod", "lab"],
            cwd=ROOT,
            env=environment(),
            stdout=log,
            stderr=log,
            check=False,
        )
    if done.returncode != 0:
        raise SystemExit(f"the schedules could not be set: see {RUN / 'prefect.log'}")


def _quietly(*words: str) -> bool:
    """Run Prefect's own command with its output in a log. Whether it succeeded."""
    with (RUN / "prefect.log").open("ab") as log:
        done = subprocess.run([BIN / "prefect", *words], cwd=ROOT, env=environment(), stdout=log, stderr=log, check=False)
    return done.returncode == 0


def start_server(*, database: str = "") -> None:
    """Start the server unless it is running, on SQLite or on this database. Returns at once; `await_server` waits."""
    if not alive("server"):
        if _healthy():
            raise SystemExit(
                f"{UI}: another Prefect server is listening there: stop it, or choose another port: PREFECT_PORT=4300 make rehearse"
            )
        kept = {"PREFECT_SERVER_DATABASE_CONNECTION_URL": database} if database else {}
        _spawn("server", "server", "start", "--host", "127.0.0.1", "--port", str(PORT), more=kept)


def await_server() -> None:
    """Return when the API answers."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while not _healthy():
        if not alive("server") or time.monotonic() > deadline:
            raise SystemExit(f"the Prefect server does not answer at {UI}: see {RUN / 'server.log'}")
        time.sleep(0.5)


def start_worker(secrets: dict[str, str]) -> None:
    """A worker of pool `evenkeel` runs, with `secrets` in its environment, and all deployments are registered."""
    stop("worker")
    pool = _quietly("work-pool", "inspect", "evenkeel") or _quietly(
        "work-pool", "create", "evenkeel", "--type", "process"
    )
    if not pool or not _quietly("--no-prompt", "deploy", "--all", "--prefect-file", "deployments/prefect.yaml"):
        raise SystemExit(f"the deployments could not be made: see {RUN / 'prefect.log'}")
    _require_schedules()
    _spawn("worker", "worker", "start", "--pool", "evenkeel", more=secrets)


def stop(name: str) -> None:
    """Stop a process that we started, by its id, with its children."""
    pid = _pid(name)
    if pid is not None and alive(name):
        os.killpg(pid, signal.SIGINT)
        deadline = time.monotonic() + 20
        while alive(name) and time.monotonic() < deadline:
            time.sleep(0.2)
        if alive(name):
            os.killpg(pid, signal.SIGKILL)
    if name == "worker":
        for orphan in runs():  # runs are in sessions of their own, and outlive a worker that is killed
            with suppress(ProcessLookupError):
                os.kill(orphan, signal.SIGKILL)
    (RUN / f"{name}.pid").unlink(missing_ok=True)


def runs() -> dict[int, str]:
    """The processes on this machine that execute our flow runs: process id, flow run id."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "environ").read_bytes().decode(errors="replace").split("\0")
            engine = b"prefect.engine" in (folder / "cmdline").read_bytes()
        except OSError:
            continue
        run = next((word.partition("=")[2] for word in words if word.startswith("PREFECT__FLOW_RUN_ID=")), None)
        if engine and run and any(word.startswith(f"PREFECT_HOME={RUN}/") for word in words):  # of any worker of ours
            found[int(folder.name)] = run
    return found


@app.command()
def up() -> None:
    """Start the server and a worker."""
    start_server()
    await_server()
    start_worker({})
    console.print(f"{UI}   export PREFECT_API_URL={UI}/api")


@app.command()
def down() -> None:
    """Stop them."""
    stop("worker")
    stop("server")


def _spawn(name: str, *words: str, more: dict[str, str]) -> None:
    RUN.mkdir(mode=0o700, exist_ok=True)  # the server's database and the worker's log are in it
    if name in _children:
        _children[name].wait()  # reap the previous one: it has ended, and is our child
    with (RUN / f"{name}.log").open("ab") as log:
        _children[name] = subprocess.Popen(
            [BIN / "prefect", *words],
            cwd=ROOT,
            env={**environment(), **more},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    (RUN / f"{name}.pid").write_text(str(_children[name].pid), encoding="utf-8")


def _pid(name: str) -> int | None:
    try:
        return int((RUN / f"{name}.pid").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def alive(name: str) -> bool:
    """Whether the process of this name is running, and is ours: ids are reused after a reboot."""
    pid = _pid(name)
    if pid is None:
        return False
    if name in _children:
        _children[name].poll()  # our own child is a zombie until it is reaped
    try:
        return b"prefect" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def _healthy() -> bool:
    try:
        return httpx.get(f"{UI}/api/health", timeout=2, trust_env=False).is_success
    except httpx.TransportError:
        return False


if __name__ == "__main__":
    app()
