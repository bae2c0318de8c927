"""A surprise is whatever the drains did and preflight had not said, and the other way round."""

from __future__ import annotations

from typing import Any

import pytest

from tests.lab.predictions import PATIENCE_S, Pods, owner_of, surprises

LATE = PATIENCE_S + 1


def pod(name: str, node: str = "", *, ready: bool = True, kind: str = "StatefulSet", api: str = "apps/v1") -> dict[str, Any]:
    owner = {"apiVersion": api, "kind": kind, "name": name, "controller": True}
    scheduled = {"type": "PodScheduled", "status": "True" if node else "False", "message": "" if node else "no node fits"}
    conditions = [scheduled, {"type": "Ready", "status": "True" if ready and node else "False"}]
    meta = {"namespace": "shop", "name": f"{name}-0", "uid": f"{name}@{node}", "ownerReferences": [owner]}
    return {"metadata": meta, "spec": {"nodeName": node} if node else {}, "status": {"phase": "Running", "conditions": conditions}}


def report(*findings: tuple[str, str], drain: str = "changed", outcome: str = "verified") -> dict[str, Any]:
    listed = [{"id": id, "where": where, "what": ""} for id, where in findings]
    return {
        "outcome": outcome,
        "entries": [
            {"step": "check placement", "target": "lab", "outcome": "unchanged", "why": "", "findings": listed},
            {"step": "drain", "target": "vm-1", "outcome": drain, "why": "not within 30 s", "findings": []},
        ]
    }


def seen(*looks: tuple[float, list[dict[str, Any]]]) -> Pods:
    pods = Pods()
    for at, items in looks:
        pods.look(items, at)
    return pods


MOVED = seen((0, [pod("db", "vm-1")]), (2, [pod("db")]), (4, [pod("db", "phys-2")]))
PENDING = seen((0, [pod("db", "vm-1")]), (2, [pod("db")]), (2 + LATE, [pod("db")]))


def test_pods_that_move_as_foreseen_are_no_surprise() -> None:
    assert surprises(report(), MOVED) == []


def test_a_pod_that_stays_pending_is_one_unless_preflight_said_so() -> None:
    assert surprises(report(), PENDING) == [
        "StatefulSet shop/db: found no node for 21 s, which was not foreseen: no node fits",
        "StatefulSet shop/db: 0 of 1 pods run on targets, which was not foreseen",
    ]
    for id in ("volume-stays", "pod-may-find-no-room"):
        assert surprises(report((id, "StatefulSet shop/db"), drain="failed", outcome="failed"), PENDING) == []


def test_a_pod_that_runs_though_preflight_said_it_could_not_is_one() -> None:
    assert surprises(report(("volume-stays", "StatefulSet shop/db")), MOVED) == [
        "StatefulSet shop/db: runs on targets, though preflight said volume-stays"
    ]


def test_what_a_failed_run_has_not_moved_is_none() -> None:
    assert surprises(report(outcome="failed"), seen((0, [pod("db", "vm-1")]))) == []


def test_a_node_that_could_not_leave_is_one() -> None:
    assert surprises(report(drain="failed"), MOVED) == ["vm-1: could not be drained, which was not foreseen: not within 30 s"]
    assert surprises(report(("budget-never-allows", "PodDisruptionBudget shop/db"), drain="failed"), MOVED) == []


def test_daemon_sets_and_what_is_ready_nowhere_do_not_count_as_moved() -> None:
    daemon = pod("agent", "vm-1", kind="DaemonSet")
    pods = seen((0, [daemon, pod("db", "vm-1")]), (2, [pod("db", "phys-1", ready=False)]))

    assert surprises(report(), pods) == ["StatefulSet shop/db: 0 of 1 pods run on targets, which was not foreseen"]


@pytest.mark.parametrize(
    ("kind", "api", "owner"),
    [
        ("CloneSet", "apps.kruise.io/v1alpha1", "CloneSet.apps.kruise.io shop/web-5b"),
        ("ReplicaSet", "apps/v1", "Deployment shop/web"),
    ],
)
def test_a_controller_is_called_as_in_reports(kind: str, api: str, owner: str) -> None:
    assert owner_of(pod("web-5b", "vm-1", kind=kind, api=api)) == owner
