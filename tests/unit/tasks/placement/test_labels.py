"""A target's node gets the labels and taints of the config, and by name those of a source."""

from typing import Any

import pytest

from blocks.errors import DeadlineExceededError, RefusedError
from tasks.engine.outcome import Change, Outcome
from tasks.k3s.join import command_line
from tasks.placement.labels import ensure_labelled
from tests.fakes.platform import CONFIG, platform
from tests.fakes.world import World


def label(world: World, *, dry: bool = False) -> Outcome:
    return ensure_labelled.fn(world.run(dry=dry), world.platform.targets[0], world.kube)


def configured(world: World, **of_first: Any) -> None:
    first, *others = CONFIG["targets"]
    world.platform = platform(targets=[{**first, **of_first}, *others])


def test_without_labels_nothing_is_set(world: World) -> None:
    assert label(world) == Outcome(Change.UNCHANGED, "none are configured")


def test_labels_and_taints_of_the_config_are_set_beside_the_others(world: World) -> None:
    world.has_nodes("phys-1")
    world.kube.node_labels["phys-1"] = {"own": "1"}
    world.kube.node_taints["phys-1"] = [{"key": "own", "effect": "NoSchedule"}]
    configured(world, labels={"node-role.kubernetes.io/db": "true"}, taints=["dedicated=db:NoSchedule"])

    assert label(world).why == "set: node-role.kubernetes.io/db=true, dedicated=db:NoSchedule"
    assert world.kube.node_labels["phys-1"] == {"own": "1", "node-role.kubernetes.io/db": "true"}
    assert [taint["key"] for taint in world.kube.node_taints["phys-1"]] == ["own", "dedicated"]
    assert label(world).why == "has node-role.kubernetes.io/db=true, dedicated=db:NoSchedule"


def test_a_taint_of_another_value_is_replaced(world: World) -> None:
    world.has_nodes("phys-1")
    world.kube.node_taints["phys-1"] = [{"key": "dedicated", "value": "web", "effect": "NoSchedule"}]
    configured(world, taints=["dedicated=db:NoSchedule"])

    label(world)

    assert world.kube.node_taints["phys-1"] == [{"key": "dedicated", "value": "db", "effect": "NoSchedule"}]


def test_a_source_gives_its_labels_but_not_what_is_the_machines_own(world: World) -> None:
    world.has_nodes("phys-1")
    world.kube.node_labels["vm-1"] = {"disk": "ssd", "zone": "a", "k3s.io/internal-ip": "10.0.0.11"}
    unready = {"key": "node.kubernetes.io/not-ready", "effect": "NoExecute"}
    world.kube.node_taints["vm-1"] = [{"key": "dedicated", "value": "db", "effect": "NoSchedule"}, unready]
    configured(world, labels={"zone": "b"}, labels_from="vm-1")

    assert label(world).why == "set: disk=ssd, zone=b, dedicated=db:NoSchedule"
    assert world.kube.node_labels["phys-1"] == {"disk": "ssd", "zone": "b"}


def test_a_source_that_has_left_has_given_its_labels_before(world: World) -> None:
    configured(world, labels_from="vm-1")
    world.has_left()

    assert label(world).why == "none are configured"


def test_a_plan_names_them_before_the_node_is_there(world: World) -> None:
    configured(world, labels={"zone": "a"})

    assert label(world, dry=True) == Outcome(Change.PLANNED, "set: zone=a")


def test_what_is_no_node_is_not_taken_for_labelled(world: World) -> None:
    configured(world, labels={"zone": "a"})

    with pytest.raises(RefusedError, match=r"phys-1: labelling it: it is no node: .*\[node-not-labelled\]"):
        label(world)


def test_labels_that_do_not_stay_are_an_error(world: World) -> None:
    world.has_nodes("phys-1")
    configured(world, labels={"zone": "a"})
    world.kube.label_node = lambda *_args, **_named: None  # type: ignore[method-assign]

    with pytest.raises(DeadlineExceededError, match=r"phys-1 has its labels and taints: not within 30 s \[node-not-labelled\]"):
        label(world)


def test_a_kubelet_gets_only_labels_that_it_may_set_itself(world: World) -> None:
    configured(world, labels={"node-role.kubernetes.io/db": "true", "zone": "a"})

    assert [word for word in command_line(world.platform.targets[0], []) if "label" in word] == ["--node-label=zone=a"]
