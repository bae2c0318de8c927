"""From the API's JSON to our values."""

from typing import Any

import pytest

from blocks.kube_values import image_ids, node_of, pod_of, restore_of, selector_text, workload_of
from blocks.ports import Workload


def pod(**parts: Any) -> dict[str, Any]:
    meta = {"namespace": "shop", "name": "web-1", "uid": "u1", **parts.pop("metadata", {})}
    return {"metadata": meta, "spec": {"nodeName": "vm-1"}, "status": {"phase": "Running", **parts}}


def controller(kind: str, *, controls: bool = True, name: str = "web", api: str = "apps/v1") -> dict[str, Any]:
    return {"ownerReferences": [{"apiVersion": api, "kind": kind, "name": name, "controller": controls}]}


@pytest.mark.parametrize(("said", "ready"), [("True", True), ("False", False), ("Unknown", False)])
def test_a_node_is_ready_only_when_its_kubelet_says_so(said: str, ready: bool) -> None:
    status = {
        "conditions": [{"type": "Ready", "status": said}],
        "addresses": [{"type": "InternalIP", "address": "10.0.0.11"}],
    }

    found = node_of({"metadata": {"name": "vm-1"}, "spec": {}, "status": status})

    assert (found.name, found.ready, found.unschedulable, found.address) == ("vm-1", ready, False, "10.0.0.11")


def test_a_node_that_said_nothing_yet_is_not_ready() -> None:
    found = node_of({"metadata": {"name": "vm-1"}, "spec": {"unschedulable": True}, "status": {}})

    assert (found.ready, found.unschedulable, found.address) == (False, True, "")


def test_a_pod_names_its_controller() -> None:
    assert pod_of(pod(metadata=controller("ReplicaSet"))).owner == "ReplicaSet"


def test_a_pod_whose_owner_does_not_control_it_is_bare() -> None:
    assert pod_of(pod(metadata=controller("Backup", controls=False))).owner is None
    assert pod_of(pod()).owner is None


@pytest.mark.parametrize(
    ("owner", "labels", "named"),
    [
        (controller("StatefulSet"), {}, "StatefulSet shop/web"),
        (controller("StatefulSet", api="apps.pingcap.com/v1"), {}, "StatefulSet.apps.pingcap.com shop/web"),
        (controller("CloneSet", api="apps.kruise.io/v1alpha1"), {}, "CloneSet.apps.kruise.io shop/web"),
        (controller("Job", api="batch/v1"), {}, "Job shop/web"),
        (controller("ReplicaSet", name="web-5d9"), {"pod-template-hash": "5d9"}, "Deployment shop/web"),
        (controller("ReplicaSet", name="web-5d9"), {}, "ReplicaSet shop/web-5d9"),
    ],
)
def test_a_controller_is_named_as_kubectl_names_it(owner: dict[str, Any], labels: dict[str, str], named: str) -> None:
    assert pod_of(pod(metadata={**owner, "labels": labels})).controller == named


def test_a_selector_with_expressions_is_a_query() -> None:
    one = {"key": "a", "operator": "In", "values": ["1", "2"]}
    other = {"key": "b", "operator": "NotIn", "values": ["3"]}
    others = [other, {"key": "c", "operator": "Exists"}, {"key": "d", "operator": "DoesNotExist"}]

    assert selector_text({"matchLabels": {"app": "web"}, "matchExpressions": [one, *others]}) == "app=web,a in (1,2),b notin (3),c,!d"


def test_a_static_pod_is_a_mirror() -> None:
    assert pod_of(pod(metadata={"annotations": {"kubernetes.io/config.mirror": "x"}})).mirror


def test_a_pod_that_ends_is_deleting() -> None:
    assert pod_of(pod(metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"})).deleting


def test_a_pod_that_nobody_placed_has_no_node() -> None:
    unplaced = pod(conditions=[{"type": "PodScheduled", "status": "False", "message": "0/3 nodes are available"}])
    del unplaced["spec"]["nodeName"]

    assert (pod_of(unplaced).node, pod_of(unplaced).reason) == ("", "0/3 nodes are available")


def test_a_waiting_container_says_why() -> None:
    waiting = {"reason": "ImagePullBackOff", "message": "no such image"}
    found = pod_of(pod(containerStatuses=[{"name": "main", "state": {"waiting": waiting}}]))

    assert found.reason == "container main: ImagePullBackOff: no such image"


@pytest.mark.parametrize(
    ("kind", "spec", "status", "desired", "ready", "updated"),
    [
        ("Deployment", {"replicas": 3}, {"replicas": 3, "updatedReplicas": 3, "readyReplicas": 2}, 3, 2, True),
        ("Deployment", {"replicas": 3}, {"replicas": 4, "updatedReplicas": 3, "readyReplicas": 3}, 3, 3, False),
        ("Deployment", {}, {}, 1, 0, False),
        ("StatefulSet", {"replicas": 0}, {}, 0, 0, True),
        ("StatefulSet", {"replicas": 1}, {"updateRevision": "b", "currentRevision": "a"}, 1, 0, False),
        ("StatefulSet", {"replicas": 3, "updateStrategy": {"rollingUpdate": {"partition": 2}}},
         {"updateRevision": "b", "currentRevision": "a", "updatedReplicas": 1, "readyReplicas": 3}, 3, 3, True),
        ("StatefulSet", {"replicas": 3, "updateStrategy": {"rollingUpdate": {"partition": 2}}},
         {"updateRevision": "b", "currentRevision": "a", "updatedReplicas": 0, "readyReplicas": 3}, 3, 3, False),
        ("DaemonSet", {}, {"desiredNumberScheduled": 9, "updatedNumberScheduled": 9, "numberReady": 8}, 9, 8, True),
        ("DaemonSet", {}, {"desiredNumberScheduled": 9, "updatedNumberScheduled": 2, "numberReady": 9}, 9, 9, False),
    ],
)
def test_a_workload_says_how_far_it_is(
    kind: str, spec: Any, status: Any, desired: int, ready: int, updated: bool
) -> None:
    template = {"template": {"spec": {"containers": [{"name": "main", "image": "app/web:2.0"}]}}}
    item = {"metadata": {"namespace": "shop", "name": "web"}, "spec": {**spec, **template}, "status": status}

    wanted = Workload(kind, "shop", "web", desired, ready, {"main": "app/web:2.0"}, updated=updated)
    assert workload_of(kind, item) == wanted


def test_a_status_that_is_older_than_the_spec_counts_for_nothing() -> None:
    item = {
        "metadata": {"namespace": "shop", "name": "web", "generation": 5},
        "spec": {"replicas": 2, "template": {"spec": {"containers": []}}},
        "status": {"readyReplicas": 2, "observedGeneration": 4},
    }

    assert workload_of("Deployment", item).ready == 0


def test_containers_that_initialise_have_images_too() -> None:
    pod_spec = {"initContainers": [{"name": "wait", "image": "app/wait:1"}], "containers": [{"name": "main", "image": "app/web:2"}]}
    meta = {"namespace": "shop", "name": "web"}

    found = workload_of("Deployment", {"metadata": meta, "spec": {"template": {"spec": pod_spec}}, "status": {}})

    assert found.images == {"wait": "app/wait:1", "main": "app/web:2"}
    assert found.initial == {"wait"}


def test_images_come_with_their_digests() -> None:
    statuses = [
        {"image": "app/web:2.0", "imageID": "docker-pullable://app/web@sha256:2"},
        {"image": "x", "imageID": ""},
    ]

    assert image_ids([pod(containerStatuses=statuses), pod()]) == {"app/web:2.0": "docker-pullable://app/web@sha256:2"}


@pytest.mark.parametrize(
    ("annotation", "args"),
    [
        ('["server","--docker","--token","********"]', ("server", "--docker", "--token", "********")),
        ("[]", ()),
        ("no JSON", ()),
        ('"server"', ()),
    ],
)
def test_a_node_says_what_its_k3s_was_started_with(annotation: str, args: tuple[str, ...]) -> None:
    meta = {"name": "vm-1", "uid": "u1", "annotations": {"k3s.io/node-args": annotation}}

    found = node_of({"metadata": meta, "spec": {}, "status": {}})

    assert (found.uid, found.deleting, found.args) == ("u1", False, args)


def test_a_node_says_what_runs_its_containers() -> None:
    status = {"nodeInfo": {"containerRuntimeVersion": "containerd://1.4.3-k3s3", "kubeletVersion": "v1.20.2+k3s1"}}

    found = node_of({"metadata": {"name": "vm-1"}, "spec": {}, "status": status})

    assert (found.version, found.runtime) == ("v1.20.2+k3s1", "containerd://1.4.3-k3s3")


def test_a_node_that_waits_for_its_finalizer_is_deleting() -> None:
    meta = {"name": "vm-1", "deletionTimestamp": "2026-01-01T00:00:00Z"}

    assert node_of({"metadata": meta, "spec": {}, "status": {}}).deleting


@pytest.mark.parametrize("updated", [0, 1])
def test_a_stateful_set_whose_pods_somebody_must_delete_is_updated_when_they_were(updated: int) -> None:
    status = {"updateRevision": "b", "currentRevision": "a", "updatedReplicas": updated, "readyReplicas": 1}
    spec = {"replicas": 1, "updateStrategy": {"type": "OnDelete"}, "template": {"spec": {"containers": []}}}

    found = workload_of("StatefulSet", {"metadata": {"namespace": "shop", "name": "db"}, "spec": spec, "status": status})

    assert (found.on_delete, found.updated) == (True, bool(updated))


def condition(kind: str, message: str = "", *, status: str = "True", at: str = "00:00:00") -> dict[str, str]:
    return {"type": kind, "status": status, "message": message, "lastTransitionTime": f"2026-01-02T{at}Z"}


@pytest.mark.parametrize(
    ("status", "phase", "message"),
    [
        ({}, "", ""),
        ({"phase": "Complete"}, "Complete", ""),
        ({"conditions": [condition("Scheduled"), condition("Running")]}, "Running", ""),
        ({"conditions": [condition("Running", at="00:00:09"), condition("Scheduled")]}, "Running", ""),
        ({"conditions": [condition("Scheduled"), condition("Complete", "done"), condition("Running")]}, "Complete", "done"),
        ({"conditions": [condition("Running"), condition("Failed", "exit status 1")]}, "Failed", "exit status 1"),
        ({"conditions": [condition("Running"), condition("Complete", status="False")]}, "Running", ""),
        (
            {"phase": "PruneComplete", "conditions": [condition("Failed", "region 1"), condition("PruneComplete", at="00:00:09")]},
            "Failed",
            "region 1",
        ),
        (
            {"phase": "RetryFailed", "conditions": [condition("RetryFailed", "tidbcluster not found"), condition("Running")]},
            "RetryFailed",
            "tidbcluster not found",
        ),
        ({"phase": "Invalid", "conditions": [condition("Invalid", "spec.br is missing")]}, "Invalid", "spec.br is missing"),
    ],
)
def test_a_restore_is_judged_by_its_conditions(status: dict[str, Any], phase: str, message: str) -> None:
    meta = {"name": "x", "uid": "u1", "creationTimestamp": "2026-01-02T00:00:00Z"}

    found = restore_of({"metadata": meta, "status": status})

    assert (found.phase, found.message) == (phase, message)
