"""Nodes before and after the move."""

import pytest

from blocks.errors import RefusedError
from tasks.engine.outcome import Outcome
from tasks.k3s.nodes import check_nodes
from tests.fakes.world import World


def ask_cluster(world: World) -> Outcome:
    return check_nodes.fn(world.run(), world.platform, world.kube)


def test_a_node_name_that_another_address_has_is_refused(world: World) -> None:
    world.kube.joins("phys-1", "10.0.0.99", server=False)

    with pytest.raises(
        RefusedError, match=r"nodes phys-1 at 10.0.0.99 have names that the config gives to other addresses"
    ):
        ask_cluster(world)


def test_a_dead_source_is_refused(world: World) -> None:
    world.kube.stops("vm-2")

    with pytest.raises(RefusedError, match="nodes vm-2 are not Ready"):
        ask_cluster(world)


def test_a_dead_source_that_is_on_its_way_out_is_not(world: World) -> None:
    world.has_moved()
    world.kube.stops("vm-2")

    assert "all workloads complete" in ask_cluster(world).why
