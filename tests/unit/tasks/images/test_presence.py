"""An image that a target would have to pull is found before the move."""

import pytest

from tasks.engine.outcome import Outcome
from tasks.images.presence import check_pod_images, full_name
from tasks.placement.evicted import needed_images
from tests.fakes.workload import FakeWorkload
from tests.fakes.world import World


def check(world: World) -> Outcome:
    return check_pod_images.fn(world.run(), world.hosts["phys-1"], world.platform, needed_images(world.platform, world.kube))


def test_images_of_the_bundle_are_as_good_as_those_of_docker(world: World) -> None:
    world.kube.has(FakeWorkload("Deployment", "shop", "old", 1, images={"main": "docker.io/app/web:1.0"}), on="vm-1")
    world.hosts["phys-1"].tell("images", "docker.io/app/web:1.0 sha256:1\napp/tool:1.0 sha256:2")

    outcome = check(world)

    assert (outcome.why, outcome.findings) == ("has 3 of 3 images", ())


def test_an_image_that_neither_has_is_a_warning(world: World) -> None:
    world.kube.bare("shop", "client", on="vm-1")
    world.kube.has(FakeWorkload("DaemonSet", "shop", "log", 0, images={"main": "app/log:1.0"}))

    assert [str(finding) for finding in check(world).findings] == [
        "phys-1: neither docker nor the bundle has app/log:1.0, app/tool:1.0: pods of it start there only if it can be pulled: "
        "docker save it on a source, docker load it there; or list its tar in k3s.images [image-not-on-target]"
    ]


def test_a_docker_that_does_not_run_is_no_answer(world: World) -> None:
    world.kube.bare("shop", "client", on="vm-1")
    world.hosts["phys-1"].unit("docker", "inactive", "disabled")

    assert check(world).findings == ()


def test_once_the_sources_are_drained_nothing_is_asked(world: World) -> None:
    world.has_moved()
    world.hosts["phys-1"].down = True

    assert check(world).why == "no pod has to move"


@pytest.mark.parametrize(
    ("short", "full"),
    [
        ("busybox", "docker.io/library/busybox:latest"),
        ("app/web:2.0", "docker.io/app/web:2.0"),
        ("10.0.0.5:5000/app/web", "10.0.0.5:5000/app/web:latest"),
        ("localhost/app:1", "localhost/app:1"),
        ("registry.example/app@sha256:ab", "registry.example/app@sha256:ab"),
    ],
)
def test_a_short_name_means_a_full_one(short: str, full: str) -> None:
    assert full_name(short) == full_name(full) == full
