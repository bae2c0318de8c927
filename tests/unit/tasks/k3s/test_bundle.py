"""The vendor's files and images reach their places, whole."""

import pytest

from blocks.errors import CommandFailedError, VerificationError
from tasks.engine.outcome import Change, Outcome
from tasks.images.load import ensure_images_loaded
from tasks.k3s.bundle import AIRGAP_DIR, BINARY, PROFILE, ensure_k3s_files
from tests.fakes import machines
from tests.fakes.world import World
from tests.unit.tasks.cases import uninstalled

TAR = "/opt/k3s/image/app.tar"


def stage(world: World) -> Outcome:
    return ensure_k3s_files.fn(world.run(), world.hosts["phys-1"], world.platform)


def load(world: World, *, dry: bool = False) -> Outcome:
    return ensure_images_loaded.fn(world.run(dry=dry), world.hosts["phys-1"], world.platform)


def test_files_lie_where_k3s_looks_for_them(world: World) -> None:
    uninstalled(world)

    stage(world)

    host = world.hosts["phys-1"]
    assert host.read(BINARY) == host.read("/opt/k3s/vendor/k3s")
    assert host.path(BINARY).stat().st_mode & 0o777 == 0o755
    assert host.read(f"{AIRGAP_DIR}/k3s-airgap-images-amd64.tar") == "airgap images\n"
    assert host.read(PROFILE) == "# Written by evenkeel.\nexport KUBECONFIG=/etc/rancher/k3s/k3s.yaml\n"


@pytest.mark.parametrize("path", [BINARY, PROFILE])
def test_a_file_that_differs_is_replaced(world: World, path: str) -> None:
    stage(world)
    world.hosts["phys-1"].write(path, "half a fi", mode=0o755)

    assert path in stage(world).why
    assert world.hosts["phys-1"].read(path) != "half a fi"


def test_a_binary_that_is_not_executable_is_corrected(world: World) -> None:
    stage(world)
    world.hosts["phys-1"].path(BINARY).chmod(0o644)

    assert stage(world).change is Change.CHANGED
    assert world.hosts["phys-1"].path(BINARY).stat().st_mode & 0o111


def test_a_bundle_without_the_binary_is_an_error(world: World) -> None:
    world.hosts["phys-1"].path("/opt/k3s/vendor/k3s").unlink()

    with pytest.raises(CommandFailedError, match="staging /usr/local/bin/k3s"):
        stage(world)


def test_images_of_the_tars_are_loaded(world: World) -> None:
    assert load(world).why == "loaded: app/db:1.0, app/web:2.0"
    assert "app/web:2.0 " in world.hosts["phys-1"].state("images")


def test_images_that_docker_has_are_not_loaded_again(world: World) -> None:
    world.hosts["phys-1"].tell("images", "app/web:2.0 sha256:1\napp/db:1.0 sha256:2")

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

    with pytest.raises(CommandFailedError, match="docker load of 1 tars: exit code 1: no space left on device"):
        load(world)
