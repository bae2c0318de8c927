"""On a fresh lab: a backup by itself, a rollback before any migration, and backups that only seem to succeed."""

from __future__ import annotations

import json
import subprocess
import sys
import time as real
from pathlib import Path

import pytest

from deployments import orchestrator
from tests.fakes.clock import FakeTime
from tests.fakes.world import World
from tests.lab import prefect_api, records, release, world
from tests.lab.conftest import run_deployment

LAKE = "/mnt/uap-global/backup"
ETCD = "http://10.99.0.11:2379"


@pytest.fixture(scope="module", autouse=True)
def fresh_again(fresh_lab: None) -> None:
    world.lab("up", "--fresh", timeout_s=3000)


def test_a_backup_is_verified_and_recorded() -> None:
    ran = run_deployment("backup/lab")
    assert ran.ok, ran.report["error"]
    records = {key: value for key, value in world.keys("vm-1", "/evenkeel/lab/backups/").items() if key.endswith("/backup")}
    (taken,) = map(json.loads, records.values())
    assert world.on("vm-2", f"sha256sum {LAKE}/{taken['name']}").split()[0] == taken["sha256"]


def test_helm_passed_commas_inside_values() -> None:
    said = json.loads(world.on("vm-1", "KUBECONFIG=/etc/rancher/k3s/k3s.yaml helm get values backup-ctl -n uap -o json"))
    assert said["common"]["env"]["ENV_GLUSTERFS_NODE_IPS"] == "10.99.0.11,10.99.0.12,10.99.0.13"


def test_a_second_backup_on_the_same_day_gets_another_name() -> None:
    ran = run_deployment("backup/lab")
    assert ran.ok, ran.report["error"]
    names = world.on("vm-1", f"ls {LAKE}").split()
    assert len(names) == len(set(names)) == 2
    assert [entry["outcome"] for entry in ran.report["entries"] if entry["step"] == "patch TiDB for BR"] == ["unchanged"]


def test_values_that_somebody_gave_the_release_survive_ours() -> None:
    helm = "KUBECONFIG=/etc/rancher/k3s/k3s.yaml helm"
    chart = "/opt/charts/uap-backup-ctl-6.5.2-20231108-1832.tgz"
    world.on("vm-1", f"{helm} upgrade backup-ctl {chart} -n uap --set-string common.ownersValue=kept --wait --timeout 60s")

    ran = run_deployment("backup/lab")

    assert ran.ok, ran.report["error"]
    said = json.loads(world.on("vm-1", f"{helm} get values backup-ctl -n uap -o json"))["common"]
    assert (said["ownersValue"], said["env"]["ENV_GLUSTERFS_NODE_IPS"]) == ("kept", "10.99.0.11,10.99.0.12,10.99.0.13")


@pytest.mark.parametrize("how", ["truncated", "empty", "missing"])
def test_a_backup_that_only_seems_to_succeed_fails_loudly(how: str) -> None:
    world.on("vm-1", f"echo {how} > {LAKE}/.fail-backup")
    ran = run_deployment("backup/lab")
    world.on("vm-1", f"rm -f {LAKE}/.fail-backup")
    assert not ran.ok
    assert "reported success, but" in ran.report["error"]


def test_a_rollback_before_any_migration(secrets: dict[str, str]) -> None:
    root = secrets["LAB_MYSQL_ROOT_PASSWORD"]
    before, tags = release.checksums(root), world.images("vm-1")
    assert run_deployment("backup/lab").ok
    release.spoil_rows(root)
    release.roll_out_bad_release("vm-1", world.SOURCES)
    ran = run_deployment("rollback/lab")
    assert ran.ok, ran.report["error"]
    assert release.checksums(root) == before
    assert world.images("vm-1") == tags
    assert release.all_ready("vm-1")


@pytest.mark.parametrize("backup", [None, "tidb-backup-20250000"], ids=["the newest", "the oldest by name"])
def test_a_rollback_finds_its_plan_among_400_nightly_backups(folder: Path, time: FakeTime, backup: str | None) -> None:
    fake = World(folder, time)
    with records.nightly_backups(ETCD, fake.platform.name, 400) as keys:
        begun = real.monotonic()
        plan = records.plan_of_a_rollback(fake, keys, backup=backup)
        took = real.monotonic() - begun

    assert plan["backup"]["name"] == f"{backup or 'tidb-backup-20250399'}.tar.gz"
    assert took < 2


def test_the_schedule_is_visible() -> None:
    said = subprocess.run(
        [orchestrator.BIN / "prefect", "deployment", "inspect", "backup/lab"], env=orchestrator.environment(),
        capture_output=True, text=True, check=True,
    ).stdout
    assert "0 2 * * *" in said
    assert "Asia/Shanghai" in said


def test_a_scheduled_run_takes_a_backup() -> None:
    names = set(world.on("vm-1", f"ls {LAKE}").split())
    assert orchestrator.prefect("deployment", "schedule", "create", "backup/lab", "--cron", "* * * * *", "--replace", "-y") == 0
    try:
        world.eventually(
            "a backup by itself", lambda: bool(set(world.on("vm-1", f"ls {LAKE}").split()) - names), within_s=180
        )
        world.eventually("its run ends", scheduled_run_completed, within_s=60)
    finally:
        subprocess.run([sys.executable, "-m", "deployments.configure", "lab"], env=orchestrator.environment(), check=True)


def scheduled_run_completed() -> bool:
    wanted = {"flow_runs": {"state": {"type": {"any_": ["COMPLETED"]}}, "tags": {"all_": ["auto-scheduled"]}}}
    return bool(prefect_api.post("flow_runs/filter", wanted))
