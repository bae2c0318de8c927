"""The same command again changes nothing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from tests.lab import world
from tests.lab.conftest import Migrated, run_flow

MACHINES = (*world.SOURCES, *world.TARGETS)


def processes() -> dict[str, object]:
    with ThreadPoolExecutor(4) as pool:
        return {
            "starts": list(pool.map(world.starts, MACHINES)),
            "files": list(pool.map(world.files, MACHINES)),
            "containers": list(pool.map(world.containers, MACHINES)),
            "members": world.members("phys-1"),
            "nodes": world.nodes("phys-1"),
        }


def test_a_second_run_changes_nothing(migrated: Migrated) -> None:
    before = processes()
    report = run_flow()
    after = processes()
    for what, was in before.items():
        assert after[what] == was, what
    assert report["outcome"] == "verified"
    assert report["record"] == migrated.report["record"]
    assert {entry["outcome"] for entry in report["entries"]} == {"unchanged"}
