"""Workloads before the move."""

import pytest

from blocks.errors import RefusedError
from tasks.engine.outcome import Outcome
from tasks.k3s.nodes import check_nodes
from tests.fakes.platform import platform
from tests.fakes.workload import FakeWorkload
from tests.fakes.world import World


def ask_cluster(world: World) -> Outcome:
    return check_nodes.fn(world.run(), world.platform, world.kube)


def test_workloads_that_are_not_complete_before_the_move_are_refused_with_reasons(world: World) -> None:
    world.platform = platform(timeouts={"pod_ready_s": 5})
    world.kube.has(FakeWorkload("Deployment", "shop", "broken", 0))
    world.kube.workload_list[-1].replicas = 1
    world.kube.polls = 1000

    with pytest.raises(RefusedError, match=r"not complete before the move.*Deployment shop/broken: 0 of 1 ready"):
        ask_cluster(world)
