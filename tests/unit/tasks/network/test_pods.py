"""Between new nodes and the others the pods' network is tried, in both directions, before any pod has to cross it."""

from collections.abc import Iterable
from dataclasses import replace
from typing import cast

import pytest

from blocks.ports import KubeApi, Node, Pod
from tasks.engine.finding import FindingsError
from tasks.engine.outcome import Outcome
from tasks.network.pods import check_pod_network
from tests.fakes.world import World

ONE, TWO, THREE, NEW = (
    Pod("shop", name, name, node, "ReplicaSet", "Running", ready=True, address=address, port=port)
    for name, node, address, port in (
        ("one", "vm-1", "10.42.0.5", 80),
        ("two", "vm-1", "10.42.0.6", 0),
        ("three", "vm-2", "10.42.1.5", 80),
        ("new", "phys-1", "10.42.2.5", 80),
    )
)


class Cluster:
    """Just these pods."""

    def __init__(self, pods: Iterable[Pod], leaving: str) -> None:
        self._pods, self._leaving = list(pods), leaving

    def pods(self) -> list[Pod]:
        return self._pods

    def nodes(self) -> list[Node]:
        names = ("vm-1", "vm-2", "phys-1")
        return [Node(name, True, name == self._leaving, "10.0.0.1", "v1.20.8+k3s1") for name in names]


def check(world: World, name: str, *pods: Pod, leaving: str = "") -> Outcome:
    cluster = cast(KubeApi, Cluster(pods or (ONE, TWO, THREE, NEW), leaving))
    return check_pod_network.fn(world.run(), world.hosts[name], world.platform, cluster, {"phys-1"})


def test_a_new_node_reaches_pods_of_all_others(world: World) -> None:
    assert check(world, "phys-1").why == "reaches pods of vm-1, vm-2"


def test_another_node_reaches_pods_of_the_new_one_only(world: World) -> None:
    world.hosts["vm-1"].tell("unreachable", "10.42.1.5 80 silent")

    assert check(world, "vm-1").why == "reaches pods of phys-1"


def test_one_pod_of_a_node_is_enough(world: World) -> None:
    world.hosts["phys-1"].tell("unreachable", "10.42.0.5 80 silent")

    assert check(world, "phys-1").why == "reaches pods of vm-1, vm-2"


def test_a_node_none_of_whose_pods_answers_is_refused_before_the_drains(world: World) -> None:
    world.hosts["phys-1"].tell("unreachable", "10.42.0.5 80 silent\n10.42.0.6 65535 No route to host")

    with pytest.raises(FindingsError) as refused:
        check(world, "phys-1")
    assert str(refused.value) == (
        "phys-1: no pod of vm-1 answers at 10.42.0.5, 10.42.0.6: the pods' network does not reach from here to there: let "
        "UDP 8472 (flannel's VXLAN) through between all nodes; on machines with several networks see --flannel-iface "
        "[pod-network-silent]"
    )


@pytest.mark.parametrize("unfit", [{"address": ""}, {"phase": "Pending"}, {"deleting": True}])
def test_a_pod_on_its_hosts_network_or_one_that_does_not_run_proves_nothing(world: World, unfit: dict[str, object]) -> None:
    pod = replace(ONE, **unfit)  # type: ignore[arg-type]

    assert check(world, "phys-1", pod).why == "reaches pods of no other node: there is none to try"


def test_a_node_that_is_being_drained_or_gone_is_not_tried(world: World) -> None:
    gone = replace(TWO, node="vm-9")
    world.hosts["phys-1"].tell("unreachable", "10.42.0.5 80 silent\n10.42.0.6 65535 silent")

    assert check(world, "phys-1", ONE, gone, THREE, leaving="vm-1").why == "reaches pods of vm-2"
