"""The proof that the nodes are the targets fails when anything is left half done."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tasks.engine.finding import FindingsError
from tasks.engine.outcome import Outcome
from tasks.k3s.nodes import verify_nodes
from tests.fakes.world import World

Given = Callable[[World], object]


def verify(world: World) -> Outcome:
    return verify_nodes.fn(world.run(), world.platform, world.kube)


def cordon(world: World) -> None:
    world.kube.node_map["phys-2"] = replace(world.kube.node_map["phys-2"], unschedulable=True)


BROKEN: dict[str, tuple[Given, str]] = {
    "a source is still a node": (
        lambda world: world.kube.joins("vm-1", "10.0.0.11", server=False),
        "cluster: nodes are phys-1, phys-2, phys-3, vm-1, expected phys-1, phys-2, phys-3: ",
    ),
    "a node is not Ready": (lambda world: world.kube.stops("phys-3"), "phys-3: the node is not Ready: "),
    "a node is cordoned": (cordon, "phys-2: the node is cordoned: "),
    "an API server is silent": (
        lambda world: world.kube.api_servers.update({"10.0.0.22": False}),
        "phys-2: its API server at 10.0.0.22 does not answer: ",
    ),
    "an endpoint is a source": (
        lambda world: world.kube.api_servers.update({"10.0.0.11": True}),
        "cluster: the API's endpoints are 10.0.0.11, 10.0.0.21, 10.0.0.22, expected 10.0.0.21, 10.0.0.22: ",
    ),
}


@pytest.mark.parametrize(("given", "words"), BROKEN.values(), ids=list(BROKEN))
def test_a_cluster_that_is_not_whole_is_refused(world: World, given: Given, words: str) -> None:
    world.has_left()
    given(world)

    with pytest.raises(FindingsError) as wrong:
        verify(world)
    assert str(wrong.value).startswith(words)
    assert len(wrong.value.findings) == 1


def test_everything_that_is_wrong_is_reported_at_once(world: World) -> None:
    world.has_left()
    for _, (given, _) in BROKEN.items():
        given(world)

    with pytest.raises(FindingsError) as wrong:
        verify(world)
    assert len(wrong.value.findings) == len(BROKEN)


def test_the_verified_nodes_are_counted(world: World) -> None:
    world.has_left()

    assert verify(world).why == "3 nodes Ready, 2 API servers answer"
