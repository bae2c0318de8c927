"""Nodes before and after the move."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tasks.engine.finding import FindingsError
from tasks.engine.outcome import Outcome
from tasks.k3s.nodes import check_nodes, verify_nodes
from tests.fakes.platform import CONFIG, platform
from tests.fakes.world import World


def ask_nodes(world: World) -> Outcome:
    return check_nodes.fn(world.run(), world.platform, world.kube, world.record)


def verify(world: World) -> Outcome:
    return verify_nodes.fn(world.run(), world.platform, world.kube)


def test_a_cluster_of_ready_sources_has_no_findings(world: World) -> None:
    outcome = ask_nodes(world)

    assert (outcome.why, outcome.findings) == ("2 nodes", ())


def test_a_node_name_that_another_address_has_is_refused(world: World) -> None:
    world.kube.joins("phys-1", "10.0.0.99", server=False)

    with pytest.raises(FindingsError, match=r"phys-1: .* is at 10.0.0.99, expected 10.0.0.21: .*\[node-name-clash\]"):
        ask_nodes(world)


def test_a_node_name_that_another_address_has_cannot_be_accepted(world: World) -> None:
    world.platform = platform(accepted=[{"id": "node-name-clash", "where": "phys-1", "reason": "it was always so"}])
    world.kube.joins("phys-1", "10.0.0.99", server=False)

    with pytest.raises(FindingsError, match="can't be accepted"):
        ask_nodes(world)


def test_a_source_that_is_not_ready_is_refused(world: World) -> None:
    world.kube.stops("vm-2")

    with pytest.raises(
        FindingsError, match=r"vm-2: .* not Ready: kubectl describe node vm-2 \[node-source-not-ready\]"
    ):
        ask_nodes(world)


def test_all_nodes_that_are_wrong_are_reported_together(world: World) -> None:
    world.kube.joins("phys-1", "10.0.0.99", server=False)
    world.kube.stops("vm-1")
    world.kube.stops("vm-2")

    with pytest.raises(FindingsError) as refused:
        ask_nodes(world)
    assert [(finding.id, finding.where) for finding in refused.value.findings] == [
        ("node-name-clash", "phys-1"),
        ("node-source-not-ready", "vm-1"),
        ("node-source-not-ready", "vm-2"),
    ]


def test_a_cordoned_source_may_be_not_ready_because_it_is_leaving(world: World) -> None:
    world.has_moved()
    world.kube.stops("vm-2")

    assert ask_nodes(world).findings == ()


def refused(world: World) -> list[str]:
    with pytest.raises(FindingsError) as error:
        ask_nodes(world)
    return str(error.value).splitlines()


def test_a_source_whose_node_has_another_name_is_refused_with_that_name(world: World) -> None:
    del world.kube.node_map["vm-2"]
    world.kube.joins("vm-2.example.com", "10.0.0.12", server=True)

    assert refused(world) == [
        "vm-2: no node is called vm-2; the node at 10.0.0.12 is called vm-2.example.com: write that name in the config "
        "[node-source-missing]"
    ]


def test_a_source_is_called_as_its_node_also_with_dots(world: World) -> None:
    del world.kube.node_map["vm-2"]
    world.kube.joins("vm-2.example.com", "10.0.0.12", server=True)
    source = {"name": "vm-2.example.com", "address": "10.0.0.12"}
    world.platform = platform(sources=[CONFIG["sources"][0], source])

    assert ask_nodes(world).findings == ()


def test_a_source_that_is_no_node_is_refused(world: World) -> None:
    del world.kube.node_map["vm-2"]

    (line,) = refused(world)
    assert line.startswith("vm-2: no node is called vm-2 and none is at 10.0.0.12, and the record does not say that it has left")


def test_a_source_whose_node_is_at_another_address_is_refused(world: World) -> None:
    world.kube.joins("vm-2", "10.0.0.99", server=True)

    (line,) = refused(world)
    assert line.startswith("vm-2: the node of this name is at 10.0.0.99, expected 10.0.0.12: ")


def test_a_source_that_has_left_by_the_record_is_no_node_any_more(world: World) -> None:
    world.has_left()

    assert ask_nodes(world).findings == ()


def test_a_node_that_nobody_has_listed_is_refused_before_anything_is_changed(world: World) -> None:
    world.kube.joins("gpu-1", "10.0.0.41", server=False)

    (line,) = refused(world)
    assert line.startswith("gpu-1: the node, at 10.0.0.41, is neither a source nor a target: write it in keep_nodes if it stays")
    assert line.endswith("[node-unknown]")


def test_an_agent_that_is_kept_is_expected_before_and_after_the_move(world: World) -> None:
    world.platform = platform(keep_nodes=["gpu-1"])
    world.kube.joins("gpu-1", "10.0.0.41", server=False)

    assert ask_nodes(world).findings == ()
    world.has_left()
    assert verify(world).why == "4 nodes Ready, 2 API servers answer"


def test_a_server_cannot_be_kept(world: World) -> None:
    world.platform = platform(keep_nodes=["vm-4"])
    world.kube.joins("vm-4", "10.0.0.14", server=True)

    (line,) = refused(world)
    assert line.startswith("vm-4: keep_nodes has it, but it is a server, at 10.0.0.14, and its datastore are members that leave")


def test_a_kept_node_that_is_not_there_is_refused(world: World) -> None:
    world.platform = platform(keep_nodes=["gpu-1"])

    assert refused(world) == ["gpu-1: keep_nodes has it, but no node is called so: kubectl get nodes [node-kept-missing]"]


def cordon(world: World) -> None:
    world.kube.node_map["phys-2"] = replace(world.kube.node_map["phys-2"], unschedulable=True)


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (
            lambda w: w.kube.joins("vm-1", "10.0.0.11", server=False),
            r"nodes are phys-1, phys-2, phys-3, vm-1, expected phys-1, phys-2, phys-3: .*\[nodes-not-the-targets\]",
        ),
        (lambda w: w.kube.stops("phys-3"), r"phys-3: the node is not Ready: .*\[node-not-ready\]"),
        (cordon, r"phys-2: the node is cordoned: kubectl uncordon phys-2 \[node-cordoned\]"),
        (
            lambda w: w.kube.api_servers.update({"10.0.0.22": False}),
            r"phys-2: its API server at 10.0.0.22 does not answer: .*\[api-server-silent\]",
        ),
        (
            lambda w: w.kube.api_servers.update({"10.0.0.11": True}),
            r"endpoints are 10.0.0.11, 10.0.0.21, 10.0.0.22, expected 10.0.0.21, 10.0.0.22: .*\[api-endpoints-differ\]",
        ),
    ],
    ids=[
        "a source is a node",
        "a node is not Ready",
        "a node is cordoned",
        "a server is silent",
        "a source is an endpoint",
    ],
)
def test_a_cluster_that_has_not_become_the_targets_is_refused(
    world: World, given: Callable[[World], object], found: str
) -> None:
    world.has_left()
    given(world)

    with pytest.raises(FindingsError, match=found):
        verify(world)


def test_all_that_is_wrong_after_the_move_is_reported_together(world: World) -> None:
    world.has_left()
    world.kube.joins("vm-1", "10.0.0.11", server=True)
    cordon(world)

    with pytest.raises(FindingsError) as refused:
        verify(world)
    assert {finding.id for finding in refused.value.findings} == {
        "nodes-not-the-targets",
        "node-cordoned",
        "api-endpoints-differ",
    }


def test_the_verified_nodes_are_counted(world: World) -> None:
    world.has_left()

    assert verify(world).why == "3 nodes Ready, 2 API servers answer"


def loses(world: World, name: str) -> None:
    """The machine has died for good, and the config says so."""
    world.platform = platform(sources=[{**source, "lost": source["name"] == name} for source in CONFIG["sources"]])
    world.kube.stops(name)


def test_a_source_that_died_for_good_is_neither_ready_nor_awaited(world: World) -> None:
    loses(world, "vm-2")

    assert ask_nodes(world).findings == ()


def test_a_source_that_died_for_good_may_be_no_node_any_more(world: World) -> None:
    loses(world, "vm-2")
    del world.kube.node_map["vm-2"]

    assert ask_nodes(world).findings == ()


def test_a_node_that_runs_its_pods_in_containerd_is_refused_by_what_its_kubelet_says(world: World) -> None:
    world.kube.node_map["vm-2"] = replace(world.kube.node_map["vm-2"], runtime="containerd://1.4.3-k3s3")

    (line,) = refused(world)
    assert line.startswith("vm-2: its pods run in containerd://1.4.3-k3s3, expected docker: ")
    assert line.endswith("[node-runtime-not-docker]")


def test_a_kept_node_may_run_its_pods_in_what_it_likes(world: World) -> None:
    world.platform = platform(keep_nodes=["gpu-1"])
    world.kube.joins("gpu-1", "10.0.0.31", server=False)
    world.kube.node_map["gpu-1"] = replace(world.kube.node_map["gpu-1"], runtime="containerd://1.6.8-k3s1")

    assert ask_nodes(world).findings == ()
