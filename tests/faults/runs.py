"""Runs of `migrate` under faults, and what they reported."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from deployments import orchestrator, rehearse
from tests.faults.during import Trigger
from tests.lab import world

RUN_S = 1500  # over slow and lossy links a migration takes a quarter of an hour
IMPATIENT = {"ssh_connect_s": 5, "etcd_catch_up_s": 25, "k3s_join_s": 90, "drain_s": 30}
"""Short deadlines for faults after which waiting is in vain."""


@dataclass(frozen=True)
class Ended:
    """How a run ended: its report, and the end of its process's output."""

    ok: bool
    report: dict[str, Any]
    said: str

    @property
    def error(self) -> str:
        return str(self.report["error"])

    def entries(self, step: str) -> dict[str, dict[str, Any]]:
        """By target, how the step went."""
        return {entry["target"]: entry for entry in self.report["entries"] if entry["step"] == step}


def at(moment: str, doing: str, *fault: str, nth: int = 1) -> Trigger:
    """`lab fault` at the nth such moment of a run."""
    return Trigger(moment=moment, doing=doing, command=(str(world.BIN / "lab"), "fault", *fault), nth=nth)


def impatient_config(folder: Path, *, user: str = "root", accepted: tuple[str, str] | None = None) -> Path:
    """The lab's config with short deadlines, and another login if one is named, or a finding accepted: its id and place."""
    config = yaml.safe_load((world.ROOT / "configs/lab.yaml").read_text(encoding="utf-8"))
    path = folder / f"impatient-{user}.yaml"
    ssh = {**config["ssh"], "user": user}
    listed = [{"id": accepted[0], "where": accepted[1], "reason": "to see what happens"}] if accepted else []
    # A pod that will never be Ready; the kubelets of 1.20.0 to 1.20.2 may list one that has ended for another minute.
    timeouts = IMPATIENT | ({"pod_ready_s": 120, "drain_s": 120} if accepted else {})
    path.write_text(yaml.safe_dump({**config, "timeouts": timeouts, "ssh": ssh, "accepted": listed}), encoding="utf-8")
    return path


def migrate(secrets: dict[str, str], config: Path, *triggers: Trigger) -> Ended:
    """One run of `migrate` to its own end, good or bad."""
    begun = time.time()
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.during", "migrate", str(config), json.dumps([t.model_dump() for t in triggers])],
        cwd=world.ROOT, env={**orchestrator.environment(), **secrets}, capture_output=True, text=True, check=False,
        timeout=RUN_S,
    )
    assert "never came" not in done.stderr, done.stderr[-3000:]
    report = rehearse.newest_report(begun)
    assert report is not None, done.stderr[-4000:]
    return Ended(done.returncode == 0, json.loads(report.read_text(encoding="utf-8")), done.stderr[-6000:])


def fault(*words: str) -> None:
    world.lab("fault", *words)


def heal() -> None:
    world.lab("heal")
