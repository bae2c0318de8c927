"""A dry run walks the same code and changes nothing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from tests.lab import world
from tests.lab.conftest import run_flow

MACHINES = (*world.SOURCES, *world.TARGETS)


def everything() -> dict[str, object]:
    with ThreadPoolExecutor(4) as pool:
        return {
            "files": list(pool.map(world.files, MACHINES)),
            "starts": list(pool.map(world.starts, MACHINES)),
            "containers": list(pool.map(world.containers, MACHINES)),
            "members": world.members("vm-1"),
            "nodes": world.nodes("vm-1"),
            "ours in etcd": world.keys("vm-1", "/evenkeel/"),
        }


def test_a_dry_run_changes_nothing_and_tells_every_step(fresh_lab: None) -> None:
    before = everything()
    report = run_flow(dry_run=True)
    after = everything()
    for what, was in before.items():
        assert after[what] == was, what
    assert report["outcome"] == "planned"
    assert {entry["outcome"] for entry in report["entries"]} <= {"planned", "unchanged"}


def test_a_dry_run_shows_a_diff_for_every_file_it_would_write(fresh_lab: None) -> None:
    entries = run_flow(dry_run=True)["entries"]
    diffs = {(entry["step"], entry["target"]): "\n".join(entry["diffs"]) for entry in entries if any(entry["diffs"])}
    for target in world.TARGETS:
        assert "+10.99.0.21      phys-1" in diffs["write /etc/hosts", target]
        assert "+    --initial-cluster-state existing" in diffs["join etcd", target]
        assert "+export KUBECONFIG" in diffs["stage k3s files", target]
    for target in world.SERVERS:
        assert "auth_pass **********" in diffs["set up keepalived", target]
