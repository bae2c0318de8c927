"""Which machines hold the VIP."""

import pytest

from tasks.vip.holder import holders, holds, only_holder
from tests.fakes.world import World


def test_the_machine_with_the_address_is_the_holder(world: World) -> None:
    assert holds(world.hosts["vm-1"], world.platform)
    assert not holds(world.hosts["vm-2"], world.platform)
    assert only_holder(world.hosts, world.platform) == "vm-1"


@pytest.mark.parametrize("name", ["vm-1", "vm-2"])
def test_none_and_two_holders_are_no_only_holder(world: World, name: str) -> None:
    world.hosts[name].tell("addresses", "" if name == "vm-1" else "eth0 10.0.0.100/24")

    assert [host.name for host in holders(list(world.hosts.values()), world.platform)] == (
        [] if name == "vm-1" else ["vm-1", "vm-2"]
    )
    assert only_holder(world.hosts, world.platform) is None


@pytest.mark.parametrize("address", ["110.0.0.100/24", "10.0.0.1001/24", "10.0.0.10/24"])
def test_an_address_that_looks_like_the_vip_is_not_it(world: World, address: str) -> None:
    world.hosts["vm-2"].tell("addresses", f"eth0 {address}")

    assert not holds(world.hosts["vm-2"], world.platform)
