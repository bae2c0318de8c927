"""One lab for all tests here: reset once, migrated once; the files run in the order of their numbers."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from deployments import orchestrator, rehearse
from tests.faults import state
from tests.lab import world
from tests.lab.clients import Client
from tests.lab.leaks import Arguments
from tests.lab.predictions import Pods

OLD_ETCD = """
cat > /run/systemd/system/etcd.service <<'END'
[Service]
ExecStart=/usr/local/bin/etcd --data-dir /var/tmp/old-etcd
END
systemctl daemon-reload && systemctl start etcd
"""
"""Of the old platform, on ports that the new one needs. Its unit is gone after a boot, as /run is."""


@dataclass(frozen=True)
class Before:
    """What must be the same afterwards."""

    rows: list[tuple[Any, ...]]
    keys: dict[str, str]
    web: tuple[str, str]
    images: dict[str, list[str]]


@dataclass(frozen=True)
class Migrated:
    before: Before
    report: dict[str, Any]
    client: Client
    arguments: set[str]
    """Command lines that were seen meanwhile."""
    state: dict[str, Any]
    pods: Pods
    """The platform's pods, as they were seen meanwhile."""


@pytest.fixture(scope="session")
def secrets() -> dict[str, str]:
    return world.secrets()


@pytest.fixture(scope="session")
def fresh_lab() -> Iterator[None]:
    """The lab in its initial state and a Prefect server with the deployments; both end with the tests."""
    orchestrator.start_server()
    world.lab("up", "--fresh", timeout_s=3000)
    orchestrator.await_server()
    orchestrator.start_worker(rehearse.lab_secrets())
    yield
    orchestrator.stop("worker")
    orchestrator.stop("server")
    world.lab("down")


@dataclass(frozen=True)
class Ran:
    """A deployment's run: whether it succeeded, its report, and its output."""

    ok: bool
    report: dict[str, Any]
    said: str


def run_deployment(name: str, **parameters: Any) -> Ran:
    """Run a deployment as an operator does."""
    begun = time.time()
    words = [f"{key}={json.dumps(value)}" for key, value in parameters.items()]
    done = subprocess.run(
        [orchestrator.BIN / "prefect", "deployment", "run", name, "--watch", *(w for word in words for w in ("--param", word))],
        cwd=orchestrator.ROOT, env=orchestrator.environment(), check=False, capture_output=True, text=True, timeout=1800,
    )
    report = rehearse.newest_report(begun)
    said = done.stdout + done.stderr
    assert report is not None, said + worker_log()
    return Ran(done.returncode == 0, json.loads(report.read_text(encoding="utf-8")), said)


def run_flow(*, dry_run: bool = False) -> dict[str, Any]:
    """Run the migration, which must succeed, and return its report."""
    ran = run_deployment("migrate/lab", dry_run=dry_run)
    assert ran.ok, ran.report["error"] or worker_log()
    return ran.report


def worker_log() -> str:
    return Path(orchestrator.RUN / "worker.log").read_text(encoding="utf-8")[-6000:]


@pytest.fixture(scope="session")
def migrated(fresh_lab: None, secrets: dict[str, str]) -> Migrated:
    for number in range(20):
        world.put("vm-1", f"/bystander/{number}", f"value-{number}")
    before = Before(
        world.rows(secrets["LAB_MYSQL_WACOS_PASSWORD"]), world.keys("vm-1", "/bystander/"), world.web(), world.images("vm-1")
    )
    world.on("phys-4", OLD_ETCD)
    with Client() as client, Arguments() as arguments, Pods() as pods:
        report = run_flow()
    return Migrated(before, report, client, arguments.seen, state.the_lab("phys-1"), pods)
