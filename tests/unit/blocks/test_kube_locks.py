"""The lock of a leader that has ended is given back as client-go would have done it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from blocks import kube_locks
from blocks.errors import KubeUnavailableError, NotFoundError

PATH = "/api/v1/namespaces/kube-system/configmaps/k3s"
HELD = {"holderIdentity": "vm-1", "leaseDurationSeconds": 45, "renewTime": "2026-11-28T00:00:00Z", "leaderTransitions": 3}


class Servers:
    """An API that keeps ConfigMaps; it takes a change only of the version that it has."""

    def __init__(self, election: dict[str, Any] | None) -> None:
        self.maps: dict[str, Any] = {}
        self.renewed_meanwhile = False
        if election is not None:
            self.maps[PATH] = {"metadata": {"resourceVersion": "7", "annotations": {kube_locks.ANNOTATION: json.dumps(election)}}}

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        if path not in self.maps:
            raise NotFoundError(f"{path}: no such ConfigMap")
        found: dict[str, Any] = self.maps[path]
        if method == "GET":
            answer = json.loads(json.dumps(found))
            if self.renewed_meanwhile:
                found["metadata"]["resourceVersion"] = "8"
            return answer
        assert body is not None
        if body["metadata"]["resourceVersion"] != found["metadata"]["resourceVersion"]:
            raise KubeUnavailableError("HTTP 409: the object has been modified")
        found["metadata"]["annotations"].update(body["metadata"]["annotations"])
        return found

    @property
    def election(self) -> dict[str, Any]:
        return json.loads(self.maps[PATH]["metadata"]["annotations"][kube_locks.ANNOTATION])


def release(servers: Servers, by: str) -> None:
    kube_locks.release(servers, "kube-system", "k3s", by)  # type: ignore[arg-type]


def test_a_released_lock_has_no_holder_and_keeps_its_history() -> None:
    servers = Servers(HELD)

    release(servers, "vm-1")

    assert servers.election == {**HELD, "holderIdentity": "", "leaseDurationSeconds": 1}
    assert kube_locks.holder(kube_locks.read(servers, "kube-system", "k3s")) == ""  # type: ignore[arg-type]


def test_the_lock_of_another_is_left_as_it_is() -> None:
    servers = Servers(HELD)

    release(servers, "vm-2")

    assert servers.election == HELD


def test_a_lock_that_somebody_takes_meanwhile_is_theirs() -> None:
    servers = Servers(HELD)
    servers.renewed_meanwhile = True

    with pytest.raises(KubeUnavailableError, match="409"):
        release(servers, "vm-1")
    assert servers.election == HELD


def test_a_cluster_without_the_lock_has_no_holder() -> None:
    servers = Servers(None)

    release(servers, "vm-1")

    assert kube_locks.holder(kube_locks.read(servers, "kube-system", "k3s")) == ""  # type: ignore[arg-type]
