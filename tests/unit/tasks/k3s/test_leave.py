"""k3s leaves a source for good."""

import pytest

from blocks.errors import DeadlineExceededError, RefusedError, VerificationError
from tasks.engine.outcome import Outcome
from tasks.k3s.leave import ensure_k3s_stopped, ensure_node_deleted
from tests.fakes.world import World
from tests.unit.tasks.cases import stopped


def stop(world: World) -> Outcome:
    return ensure_k3s_stopped.fn(world.run(), world.hosts["vm-1"], world.platform, world.kube)


def delete(world: World) -> Outcome:
    return ensure_node_deleted.fn(world.run(), world.platform.sources[0], world.platform, world.kube)


def test_k3s_and_the_pods_containers_stop_and_others_go_on(world: World) -> None:
    world.has_moved()

    stop(world)

    host = world.hosts["vm-1"]
    assert host.unit_state("k3s") == ("inactive", "disabled")
    assert host.state("containers") == "k8s_web_shop app/web:2.0 Exited pod\nregistry registry:2 Up plain\n"


def test_k3s_is_not_stopped_before_a_targets_api_answers(world: World) -> None:
    with pytest.raises(RefusedError, match=r"no target's API server answers.*\[api-targets-silent\]"):
        stop(world)
    assert world.mutations == []


def test_a_k3s_that_does_not_stop_is_an_error(world: World) -> None:
    world.has_moved()
    world.hosts["vm-1"].tell("units/k3s/stubborn", "yes")

    with pytest.raises(
        VerificationError, match=r"k3s was stopped, but the unit is active disabled.*\[k3s-not-stopped\]"
    ):
        stop(world)


def test_a_node_that_registers_again_is_an_error(world: World) -> None:
    stopped(world)
    world.kube.returning = {"vm-1"}

    with pytest.raises(
        VerificationError, match=r"vm-1: .* registered again: a k3s still runs there.*\[node-came-back\]"
    ):
        delete(world)


def test_an_api_server_that_stays_an_endpoint_is_an_error(world: World) -> None:
    stopped(world)
    world.kube.api_servers["10.0.0.11"] = True

    with pytest.raises(
        DeadlineExceededError, match=r"vm-1 has left the API's endpoints: not within 90 s.*\[api-endpoint-stays\]"
    ):
        delete(world)


def test_a_deleted_node_has_stayed_away_for_a_while(world: World) -> None:
    stopped(world)

    delete(world)

    assert world.time.now() >= 1003
