"""Old images come back by container, only where machines have them."""

from dataclasses import replace
from typing import Any

import pytest

from blocks.errors import DeadlineExceededError, RefusedError, VerificationError
from blocks.ports import Workload
from tasks.engine.finding import FindingsError
from tasks.engine.outcome import Change, Outcome
from tasks.images.record import NEW, OLD
from tasks.images.rollout import check_images, ensure_images, images_to_set, recorded_images
from tests.fakes.platform import platform
from tests.fakes.world import World
from tests.unit.tasks.cases import WEB


def check(world: World, image: str, **changes: Any) -> Outcome:
    return check_images.fn(world.run(), world.hosts["vm-1"], platform(**changes), {WEB: {"main": image}})


def put(world: World, **images: str) -> Outcome:
    return ensure_images.fn(world.run(), workload(world), world.platform, world.kube, images)


def workload(world: World) -> Workload:
    return next(found for found in world.kube.workloads() if str(found) == WEB)


def test_an_image_that_a_node_lacks_is_refused_with_the_remedy(world: World) -> None:
    with pytest.raises(
        FindingsError,
        match=r"^vm-1: docker lacks app/web:9: .*in /opt/k3s/image/\*.tar; do docker load -i .*\[image-missing\]$",
    ):
        check(world, "app/web:9")


def test_the_old_bundle_is_named_if_the_config_knows_it(world: World) -> None:
    with pytest.raises(FindingsError, match=r"in /opt/k3s/image/\*.tar /opt/old/image/\*.tar; do"):
        check(world, "app/web:9", rollback={"old_bundle": "/opt/old/image"})


def test_a_docker_that_does_not_run_is_not_taken_for_one_that_lacks_images(world: World) -> None:
    world.hosts["vm-1"].unit("docker", "inactive")

    with pytest.raises(FindingsError) as refused:
        check(world, "app/web:2.0")
    assert str(refused.value) == "vm-1: docker does not run: systemctl start docker [docker-not-running]"


def test_images_are_set_by_container(world: World) -> None:
    assert put(world, main="app/web:1.9").why == "main: app/web:2.0 becomes app/web:1.9"
    assert workload(world).images == {"main": "app/web:1.9"}


def test_a_rollout_that_a_killed_run_began_is_awaited(world: World) -> None:
    world.kube.set_images(workload(world), {"main": "app/web:1.9"})

    assert put(world, main="app/web:1.9").change is Change.CHANGED
    assert workload(world).ready == 2


def test_a_rollout_that_hangs_is_an_error_with_the_pods_reason(world: World) -> None:
    world.platform = platform(timeouts={"rollout_s": 5})
    for node in world.kube.node_map:
        world.kube.set_unschedulable(node, True)

    with pytest.raises(
        DeadlineExceededError, match=r"^Deployment shop/web: not rolled out within 5 s: shop/web-\d+: 0 nodes are"
    ) as late:
        put(world, main="app/web:1.9")
    assert str(late.value).endswith("0 nodes are available: kubectl describe pods -n shop [rollout-not-finished]")


def test_a_rollout_that_waits_for_somebody_to_delete_pods_says_so(world: World) -> None:
    world.platform = platform(timeouts={"rollout_s": 5})
    for node in world.kube.node_map:
        world.kube.set_unschedulable(node, True)
    by_hand = replace(workload(world), on_delete=True)

    with pytest.raises(DeadlineExceededError, match="its strategy is OnDelete: kubectl delete pod -n shop each of its pods"):
        ensure_images.fn(world.run(), by_hand, world.platform, world.kube, {"main": "app/web:1.9"})


def test_a_workload_that_has_gone_is_an_error(world: World) -> None:
    gone = workload(world)
    world.kube.workload_list.clear()

    with pytest.raises(
        VerificationError,
        match=r"Deployment shop/web: is gone from the cluster: kubectl get all -n shop \[workload-missing\]",
    ):
        ensure_images.fn(world.run(), gone, world.platform, world.kube, {"main": "app/web:1.9"})


def test_only_images_that_differ_are_set(world: World) -> None:
    present = world.kube.workloads()

    assert images_to_set({WEB: {"main": "app/web:2.0"}}, present) == {}
    assert images_to_set({WEB: {"main": "app/web:1.0"}}, present) == {WEB: {"main": "app/web:1.0"}}
    assert images_to_set({WEB: {"gone": "app/web:1.0"}, "Deployment shop/gone": {"main": "x:1"}}, present) == {}


def test_images_of_both_platforms_are_found_in_the_record(world: World) -> None:
    world.record.write(NEW, {"workloads": {WEB: {"main": "app/web:2.0"}}})
    world.record.write(f"{OLD}/phys-1", {"workloads": {WEB: {"main": "app/web:1.0"}}})

    assert recorded_images(world.record, "new") == {WEB: {"main": "app/web:2.0"}}
    assert recorded_images(world.record, "old") == {WEB: {"main": "app/web:1.0"}}


def test_a_record_without_images_is_refused(world: World) -> None:
    with pytest.raises(
        RefusedError, match=r"record .*: holds no images of the old platform: give image_map.*\[images-not-recorded\]"
    ):
        recorded_images(world.record, "old")
