"""The images of the bundle's tars reach docker, whole."""

import gzip

import pytest

from blocks.errors import CommandFailedError, RefusedError, VerificationError
from tasks.engine.finding import FindingsError
from tasks.engine.outcome import Change, Outcome
from tasks.images.load import check_tars, ensure_images_loaded, needed_tars
from tests.fakes import machines
from tests.fakes.platform import platform
from tests.fakes.world import World

TAR = "/opt/k3s/image/app.tar"


CONTAINERD = "[[driver-type io.containerd.snapshotter.v1]]"  # as docker info has it where docker keeps images in containerd


def judge(world: World, content: bytes) -> str:
    """What is refused about a tar with this content, before anything is changed."""
    world.hosts["phys-1"].path(TAR).write_bytes(content)
    try:
        check_tars.fn(world.run(), world.hosts["phys-1"], world.platform)
    except FindingsError as error:
        return str(error)
    return ""


def load(world: World, *, dry: bool = False) -> Outcome:
    return ensure_images_loaded.fn(world.run(dry=dry), world.hosts["phys-1"], world.platform)


def test_images_of_the_tars_are_loaded(world: World) -> None:
    assert load(world).why == "loaded: app/db:1.0, app/web:2.0, rancher/pause:3.1"
    assert "app/web:2.0 " in world.hosts["phys-1"].state("images")


def test_images_that_docker_has_are_not_loaded_again(world: World) -> None:
    world.hosts["phys-1"].tell("images", "app/web:2.0 sha256:1\napp/db:1.0 sha256:2\nrancher/pause:3.1 sha256:3")

    assert load(world).change is Change.UNCHANGED


def test_a_docker_that_would_not_survive_a_reboot_is_enabled(world: World) -> None:
    load(world)
    world.hosts["phys-1"].unit("docker", "active", "disabled")

    assert load(world).why == "loaded: nothing, docker is started"
    assert world.hosts["phys-1"].unit_state("docker") == ("active", "enabled")


@pytest.mark.parametrize(
    "content", [None, b"", machines.image_tar("app/web:2.0")[:700]], ids=["absent", "empty", "cut off"]
)
def test_a_tar_that_is_not_whole_is_an_error(world: World, content: bytes | None) -> None:
    path = world.hosts["phys-1"].path(TAR)
    path.unlink()
    if content is not None:
        path.write_bytes(content)

    assert TAR in load(world, dry=True).why
    with pytest.raises((CommandFailedError, VerificationError)):
        load(world)


def test_a_full_disk_is_reported_in_dockers_words(world: World) -> None:
    world.hosts["phys-1"].tell("disk-full", "yes")

    with pytest.raises(CommandFailedError, match="docker load of 2 tars: exit code 1: no space left on device"):
        load(world)


def test_a_docker_that_is_masked_is_refused_before_anything_is_loaded(world: World) -> None:
    world.hosts["phys-1"].mask("docker")

    with pytest.raises(RefusedError, match=r"phys-1: its unit docker is masked: .*systemctl unmask docker \[unit-masked\]"):
        load(world)
    assert world.mutations == []


def test_docker_needs_k3s_own_images_too() -> None:
    assert needed_tars(platform()) == ["/opt/k3s/vendor/k3s-airgap-images-amd64.tar", TAR]


def test_a_tar_that_was_packed_by_hand_is_read(world: World) -> None:
    by_hand = machines.image_tar("app/web:2.0", manifest_name="./manifest.json")
    world.hosts["phys-1"].path(TAR).write_bytes(by_hand)

    assert load(world).why == "loaded: app/web:2.0, rancher/pause:3.1"
    assert load(world).change is Change.UNCHANGED


@pytest.mark.parametrize("dry", [True, False])
def test_a_tar_whose_manifest_names_no_tags_is_refused_before_anything_is_loaded(world: World, dry: bool) -> None:
    world.hosts["phys-1"].path(TAR).write_bytes(machines.image_tar())

    with pytest.raises(RefusedError) as refused:
        load(world, dry=dry)

    assert str(refused.value) == (
        f"phys-1: the manifest of {TAR} names no tags (it was saved by image ids): save it by names, "
        "docker save -o TAR NAME:TAG ..., and copy it there [image-tar-untagged]"
    )
    assert world.mutations == []


def test_whole_tars_with_tags_have_no_findings(world: World) -> None:
    outcome = check_tars.fn(world.run(), world.hosts["phys-1"], world.platform)

    assert (outcome.why, outcome.findings) == ("2 tars of images", ())
    assert len(world.hosts["phys-1"].calls) == 1


@pytest.mark.parametrize(
    "content",
    [
        machines.image_tar("app/web:2.0", manifest_name="./manifest.json"),
        gzip.compress(machines.image_tar("app/web:2.0")),
    ],
    ids=["packed by hand", "compressed"],
)
def test_a_tar_that_docker_loads_is_not_refused_before_the_move(world: World, content: bytes) -> None:
    assert judge(world, content) == ""


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (machines.image_tar(), f"the manifest of {TAR} names no tags (it was saved by image ids): "),
        (machines.tar_of("manifest.json", [{"Config": "abc.json", "RepoTags": None}]), f"the manifest of {TAR} names no tags"),
        (machines.image_tar("app/web:2.0")[:700], f"{TAR} is cut off, or no tar with a manifest.json: "),
        (gzip.compress(machines.image_tar("app/web:2.0"))[:80], f"{TAR} is cut off, "),
        (b"<html>404 Not Found</html>", f"{TAR} is cut off, "),
        (machines.tar_of("layer.tar", ""), f"{TAR} is cut off, or no tar with a manifest.json: "),
        (machines.oci_tar("docker.io/app/web:2.0"), f"{TAR} is an OCI layout without manifest.json, "),
    ],
    ids=["no tags", "null", "cut off", "compressed and cut off", "no tar", "no manifest", "OCI layout"],
)
def test_a_tar_that_would_stop_the_move_is_refused_before_it(world: World, content: bytes, said: str) -> None:
    assert judge(world, content).startswith(f"phys-1: {said}")


def test_an_absent_tar_is_left_to_the_check_of_the_machine(world: World) -> None:
    assert judge(world, b"") == ""


def test_a_docker_with_its_images_in_containerd_loads_oci_layouts_that_name_them(world: World) -> None:
    world.hosts["phys-1"].tell("docker-store", CONTAINERD)

    assert judge(world, machines.oci_tar()).startswith(f"phys-1: the manifest of {TAR} names no tags")
    assert judge(world, machines.oci_tar("docker.io/app/web:2.0")) == ""
    assert load(world).why == "loaded: docker.io/app/web:2.0, rancher/pause:3.1"
    assert load(world).change is Change.UNCHANGED
