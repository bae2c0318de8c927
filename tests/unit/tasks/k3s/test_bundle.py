"""The vendor's files reach their places, whole."""

import pytest

from blocks.errors import CommandFailedError
from tasks.engine.outcome import Change, Outcome
from tasks.k3s.bundle import AIRGAP_DIR, BINARY, PROFILE, ensure_k3s_files
from tests.fakes.world import World
from tests.unit.tasks.cases import uninstalled


def stage(world: World) -> Outcome:
    return ensure_k3s_files.fn(world.run(), world.hosts["phys-1"], world.platform)


def test_files_lie_where_k3s_looks_for_them(world: World) -> None:
    uninstalled(world)

    stage(world)

    host = world.hosts["phys-1"]
    assert host.read(BINARY) == host.read("/opt/k3s/vendor/k3s")
    assert host.path(BINARY).stat().st_mode & 0o777 == 0o755
    airgap = "k3s-airgap-images-amd64.tar"
    assert host.path(f"{AIRGAP_DIR}/{airgap}").read_bytes() == host.path(f"/opt/k3s/vendor/{airgap}").read_bytes()
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
