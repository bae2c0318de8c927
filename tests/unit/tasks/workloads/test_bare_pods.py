"""A pod that no controller would bring back comes back."""

import pytest

from blocks.errors import DeadlineExceededError
from tasks.engine.outcome import Change
from tasks.workloads.bare_pods import restore_bare, without_identity
from tests.fakes.world import World
from tests.unit.tasks.cases import cordoned, killed_amid_a_drain
from tests.unit.tasks.workloads.test_drain import drain

MANIFEST = {
    "metadata": {
        "name": "client",
        "namespace": "shop",
        "labels": {"app": "client"},
        "uid": "1",
        "resourceVersion": "7",
    },
    "spec": {
        "nodeName": "vm-1",
        "serviceAccount": "app",
        "serviceAccountName": "app",
        "containers": [
            {
                "name": "main",
                "image": "app/tool:1.0",
                "volumeMounts": [{"name": "data"}, {"name": "app-token-x7k2p"}, {"name": "kube-api-access-b8d"}],
            }
        ],
        "volumes": [{"name": "data"}, {"name": "app-token-x7k2p"}, {"name": "kube-api-access-b8d"}],
    },
    "status": {"phase": "Running"},
}


def test_a_pod_without_its_identity_keeps_what_its_owner_wrote() -> None:
    assert without_identity(MANIFEST) == {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "client", "namespace": "shop", "labels": {"app": "client"}},
        "spec": {
            "serviceAccountName": "app",
            "containers": [{"name": "main", "image": "app/tool:1.0", "volumeMounts": [{"name": "data"}]}],
            "volumes": [{"name": "data"}],
        },
    }


def test_containers_that_initialise_lose_the_injected_token_too() -> None:
    mounts = [{"name": "data"}, {"name": "app-token-x7k2p"}]
    initial = [{"name": "wait", "image": "app/wait:1.0", "volumeMounts": mounts}]
    spec = {**MANIFEST["spec"], "initContainers": initial, "ephemeralContainers": [{"name": "debugger"}]}  # type: ignore[dict-item]

    found = without_identity({**MANIFEST, "spec": spec})["spec"]

    assert found["initContainers"] == [{"name": "wait", "image": "app/wait:1.0", "volumeMounts": [{"name": "data"}]}]
    assert "ephemeralContainers" not in found


def test_a_bare_pod_is_made_anew_elsewhere(world: World) -> None:
    cordoned(world)

    drain(world)

    assert world.kube.on("vm-1") == []
    assert "shop/client" in world.kube.on("phys-3")


def test_a_bare_pod_survives_a_run_that_was_killed_between_its_eviction_and_its_return(world: World) -> None:
    cordoned(world)
    world.kube.fail("create_pod", KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        drain(world)
    assert not any("shop/client" in world.kube.on(node) for node in world.kube.node_map)

    assert drain(world).why == "evicted: nothing, bare pods made anew"
    assert "shop/client" in world.kube.on("phys-3")


def test_a_bare_pod_is_made_anew_once_the_one_that_is_terminating_has_gone(world: World) -> None:
    killed_amid_a_drain(world)
    assert "shop/client" in world.kube.on("vm-1")

    restore_bare(world.kube, world.record)

    assert "shop/client" in world.kube.on("phys-3")


def test_a_bare_pod_that_somebody_deletes_later_stays_deleted(world: World) -> None:
    cordoned(world)
    drain(world)
    client = next(pod for pod in world.kube.pods() if pod.name == "client")
    world.kube.evict(client)
    for _ in range(3):
        world.kube.pods()

    assert drain(world).change is Change.UNCHANGED


def test_a_bare_pod_that_does_not_become_ready_is_an_error_with_an_id(world: World) -> None:
    cordoned(world)
    world.kube.never_ready = {"shop/client"}
    world.kube.fail("create_pod", KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        drain(world)

    with pytest.raises(
        DeadlineExceededError, match=r"shop/client made anew: Ready: not within 120 s \[bare-pod-not-ready\]"
    ):
        restore_bare(world.kube, world.record)
