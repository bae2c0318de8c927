"""A source leaves only when nothing needs it."""

import pytest

from blocks.errors import RefusedError
from tasks.engine.outcome import Outcome
from tasks.workloads.residue import check_unreferenced
from tests.fakes.world import World
from tests.unit.tasks.cases import hosts_of, targets_of


def check(world: World) -> Outcome:
    source = world.platform.sources[0]
    return check_unreferenced.fn(world.run(), source, world.platform, targets_of(world), hosts_of(world), world.kube)


def test_a_source_that_a_targets_daemon_names_is_still_needed(world: World) -> None:
    world.has_moved()
    world.hosts["phys-2"].write("/etc/systemd/system/k3s.service.env", "K3S_URL=https://10.0.0.11:10443\n")

    with pytest.raises(RefusedError, match=r"vm-1: still needed: phys-2:/etc/systemd/system/k3s.service.env: line 1, K3S_URL"):
        check(world)


def test_a_source_that_a_pod_runs_on_is_still_needed(world: World) -> None:
    world.has_moved()
    world.kube.bare("shop", "late", on="vm-1")

    with pytest.raises(RefusedError, match="pod shop/late runs there"):
        check(world)


def test_a_source_that_holds_the_vip_is_still_needed(world: World) -> None:
    with pytest.raises(RefusedError, match=r"it holds the VIP 10.0.0.100"):
        check(world)


def test_a_mere_mention_is_a_note(world: World) -> None:
    world.has_moved()
    world.hosts["phys-2"].write("/etc/fstab", "10.0.0.11:/export /mnt nfs defaults 0 0\n")

    assert check(world).notes == ("phys-2:/etc/fstab: line 1 names 10.0.0.11",)
