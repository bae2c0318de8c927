"""A single replica gets a second one before its machine is drained."""

import pytest

from blocks.errors import DeadlineExceededError
from tasks.workloads.surge import ensure_surge_ended, ensure_surged, surged, to_surge
from tests.fakes.faults import Killed
from tests.fakes.platform import platform
from tests.fakes.workload import FakeWorkload
from tests.fakes.world import World
from tests.unit.tasks.cases import single, with_single_replica


def names(world: World) -> list[str]:
    return [str(workload) for workload in to_surge(world.platform, world.kube, ["vm-1", "vm-2"])]


def test_a_single_replica_on_a_source_is_surged_and_nothing_else(world: World) -> None:
    with_single_replica(world)
    world.kube.has(FakeWorkload("Deployment", "shop", "elsewhere", 1), on="phys-1")
    world.kube.has(FakeWorkload("Deployment", "shop", "exclusive", 1, recreate=True), on="vm-1")

    assert names(world) == ["Deployment shop/orders"]


def test_the_config_can_forbid_it(world: World) -> None:
    world.platform = platform(drain={"no_surge": ["shop/orders"]})
    with_single_replica(world)

    assert names(world) == []


def test_an_ignored_workload_is_not_surged(world: World) -> None:
    world.platform = platform(ignore_workloads=["Deployment shop/orders"])
    with_single_replica(world)

    assert names(world) == []


def test_the_second_replica_is_ready_before_the_first_goes(world: World) -> None:
    with_single_replica(world)

    ensure_surged.fn(world.run(), single(world), world.platform, world.kube, world.record)

    assert (single(world).desired, single(world).ready) == (2, 2)


def test_a_surge_that_a_killed_run_began_is_known_and_ended(world: World) -> None:
    with_single_replica(world)
    world.life.mutations_left = 2
    with pytest.raises(Killed):
        ensure_surged.fn(world.run(), single(world), world.platform, world.kube, world.record)
    world.life.mutations_left = -1

    (unrestored,) = surged(world.kube, world.record)
    ensure_surge_ended.fn(world.run(), unrestored, world.platform, world.kube, world.record)

    assert single(world).desired == 1
    assert surged(world.kube, world.record) == []


def test_a_second_replica_that_does_not_become_ready_is_an_error(world: World) -> None:
    with_single_replica(world)
    world.platform = platform(timeouts={"pod_ready_s": 3})
    world.kube.polls = 1000

    with pytest.raises(
        DeadlineExceededError,
        match=r"orders are Ready: not within 3 s: .*if it can't run twice, list shop/orders in drain.no_surge \[surge-not-ready\]",
    ):
        ensure_surged.fn(world.run(), single(world), world.platform, world.kube, world.record)
