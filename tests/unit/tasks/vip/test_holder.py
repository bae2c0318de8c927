"""Which machines hold the VIP."""

import threading
from typing import Any

import pytest

from blocks.ports import CommandResult
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


class Waiting:
    """A machine that answers once all of them are asked."""

    def __init__(self, name: str, asked: threading.Barrier) -> None:
        self.name, self._asked = name, asked

    def run(self, script: str, **_named: Any) -> CommandResult:
        self._asked.wait()
        return CommandResult(int(self.name != "m-7"), "", "")


def test_a_fleet_is_asked_side_by_side(world: World) -> None:
    asked = threading.Barrier(20, timeout=10)

    fleet: Any = [Waiting(f"m-{number}", asked) for number in range(20)]

    assert [host.name for host in holders(fleet, world.platform)] == ["m-7"]
