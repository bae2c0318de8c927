"""A dry run walks the same code and changes nothing."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from deployments import orchestrator
from tasks.engine.journal import read_report
from tasks.plan.plan import plan_hash
from tests.lab import world
from tests.lab.conftest import run_deployment, run_flow

MACHINES = (*world.SOURCES, *world.TARGETS)


@dataclass(frozen=True)
class DryRun:
    before: dict[str, set[object]]
    report: dict[str, Any]
    after: dict[str, set[object]]


def everything() -> dict[str, set[object]]:
    with ThreadPoolExecutor(4) as pool:

        def lines(look: Callable[[str], str]) -> set[object]:
            said = zip(MACHINES, pool.map(look, MACHINES), strict=True)
            return {f"{machine}: {line}" for machine, text in said for line in text.splitlines()}

        return {
            "files": lines(world.files),
            "starts": lines(world.starts),
            "containers": lines(world.containers),
            "members": set(world.members("vm-1")),
            "nodes": set(world.nodes("vm-1")),
            "ours in etcd": set(world.keys("vm-1", "/evenkeel/").items()),
        }


@pytest.fixture(scope="module")
def dry_run(fresh_lab: None) -> DryRun:
    before = everything()
    report = run_flow(dry_run=True)
    return DryRun(before, report, everything())


@pytest.mark.parametrize("what", ["files", "starts", "containers", "members", "nodes", "ours in etcd"])
def test_a_dry_run_changes_nothing(dry_run: DryRun, what: str) -> None:
    assert dry_run.after[what] ^ dry_run.before[what] == set()


def test_a_dry_run_only_plans(dry_run: DryRun) -> None:
    assert dry_run.report["outcome"] == "planned"
    outcomes = [entry["outcome"] for entry in dry_run.report["entries"]]
    assert set(outcomes) == {"planned", "unchanged"}
    assert outcomes.count("planned") > 60


def test_a_dry_run_ends_with_its_plan(dry_run: DryRun) -> None:
    folder = run_folder(dry_run.report)
    text = (folder / "plan.md").read_text(encoding="utf-8")
    assert "**Point of no return**, in phase canary: uninstall old k3s on phys-1." in text
    assert "| phys-4 becomes a voter | 7 | 4 | 3 | 4 of 7 are left: the quorum remains |" in text
    assert "| vm-3.lab.example is removed | 6 | 4 | 2 | 6 of 6 are left: the quorum remains |" in text
    ET.fromstring((folder / "plan.html").read_text(encoding="utf-8").partition("\n")[2])


def test_a_second_dry_run_has_the_same_plan(dry_run: DryRun) -> None:
    first, second = (read_report(run_folder(report) / "report.json") for report in (dry_run.report, run_flow(dry_run=True)))
    assert plan_hash(first) == plan_hash(second)


def run_folder(report: dict[str, Any]) -> Path:
    return orchestrator.ROOT / "reports" / "lab" / report["run"]


def test_a_dry_run_shows_a_diff_for_every_file_it_would_write(dry_run: DryRun) -> None:
    entries = dry_run.report["entries"]
    diffs = {(entry["step"], entry["target"]): "\n".join(entry["diffs"]) for entry in entries if any(entry["diffs"])}
    for target in world.TARGETS:
        assert "+10.99.0.21      phys-1" in diffs["write /etc/hosts", target]
        assert "+    --initial-cluster-state existing" in diffs["join etcd", target]
        assert "+# Written by evenkeel." in diffs["stage k3s files", target]
    for target in world.SERVERS:
        assert "auth_pass **********" in diffs["set up keepalived", target]


def test_preflight_by_itself_passes_and_changes_nothing(dry_run: DryRun) -> None:
    ran = run_deployment("preflight/lab")

    assert ran.ok, ran.report["error"]
    assert (ran.report["flow"], ran.report["outcome"], ran.report["record"] != "") == ("preflight", "passed", True)
    assert {what: after ^ dry_run.after[what] for what, after in everything().items() if after != dry_run.after[what]} == {}


def test_a_dry_run_says_what_the_drains_will_meet(dry_run: DryRun) -> None:
    checks = ("check surge", "check budgets", "check placement", "check residue")
    found = {(f["id"], f["where"]) for e in dry_run.report["entries"] if e["step"] in checks for f in e["findings"]}
    assert found == {
        ("surge-not-made", "Deployment iottepa/cache"),
        ("surge-not-made", "Deployment iottepa/clonesets"),
        ("budget-in-turns", "PodDisruptionBudget iottepa/web"),
    }
    why = {(f["where"]): f["what"] for e in dry_run.report["entries"] if e["step"] == "check surge" for f in e["findings"]}
    assert "a HorizontalPodAutoscaler sets its replicas" in why["Deployment iottepa/cache"]
    assert "its volume log (persistentVolumeClaim) would be written to by both" in why["Deployment iottepa/clonesets"]


def test_two_identities_in_the_datastore_are_refused_before_anything_is_changed(dry_run: DryRun) -> None:
    world.put("vm-1", "/bootstrap/0123456789ab", "of-nobody")
    try:
        ran = run_deployment("migrate/lab")
    finally:
        world.delete("vm-1", "/bootstrap/0123456789ab")

    assert not ran.ok
    assert "etcdctl del /bootstrap/0123456789ab [k3s-two-identities]" in ran.report["error"]
    assert {entry["outcome"] for entry in ran.report["entries"]} <= {"unchanged", "failed"}
