"""k3s leaves a source for good."""

from typing import Any

import pytest

from blocks.errors import DeadlineExceededError, RefusedError, VerificationError
from tasks.engine.outcome import Change, Outcome
from tasks.k3s.leave import ensure_cordoned, ensure_k3s_stopped, ensure_node_deleted, ensure_uncordoned
from tests.fakes.world import World
from tests.unit.tasks.cases import stopped


def stop(world: World) -> Outcome:
    return ensure_k3s_stopped.fn(world.run(), world.hosts["vm-1"], world.platform, world.kube)


def delete(world: World) -> Outcome:
    return ensure_node_deleted.fn(world.run(), world.platform.sources[0], world.platform, world.kube, world.record)


def cordon(world: World) -> Outcome:
    return ensure_cordoned.fn(world.run(), world.platform.sources[0], world.kube, world.record)


def test_k3s_and_the_pods_containers_stop_and_others_go_on(world: World) -> None:
    world.has_moved()

    stop(world)

    host = world.hosts["vm-1"]
    assert host.unit_state("k3s") == ("failed", "disabled")
    assert host.state("containers") == "k8s_web_shop app/web:2.0 Exited pod\nregistry registry:2 Up plain\n"


def test_k3s_is_not_stopped_before_a_targets_api_answers(world: World) -> None:
    with pytest.raises(RefusedError, match=r"no target's API server answers.*\[api-targets-silent\]"):
        stop(world)
    assert world.mutations == []


def test_a_k3s_that_does_not_stop_is_an_error(world: World) -> None:
    world.has_moved()
    world.hosts["vm-1"].tell("units/k3s/stubborn", "yes")

    with pytest.raises(
        VerificationError, match=r"k3s was stopped, but the unit k3s is active disabled.*\[k3s-not-stopped\]"
    ):
        stop(world)


@pytest.mark.parametrize("unit", ["k3s-agent", "k3s-prod"])
def test_a_k3s_of_any_unit_stops(world: World, unit: str) -> None:
    world.has_moved()
    host = world.hosts["vm-1"]
    host.path("/etc/systemd/system/k3s.service").unlink()
    host.unit("k3s", "inactive", "disabled")
    host.write(f"/etc/systemd/system/{unit}.service", "[Service]\nExecStart=/usr/local/bin/k3s \\\n    agent \\\n")
    host.unit(unit)

    plan = ensure_k3s_stopped.fn(world.run(dry=True), host, world.platform, world.kube)
    assert plan.why.startswith(f"k3s is stopped and disabled: now the unit {unit} is active enabled")
    assert stop(world).why == f"{unit} is off and disabled"
    assert host.unit_state(unit) == ("failed", "disabled")
    assert stop(world).change is Change.UNCHANGED


def test_a_unit_that_only_begins_like_k3s_goes_on(world: World) -> None:
    world.has_moved()
    host = world.hosts["vm-1"]
    host.write("/etc/systemd/system/k3s-watch.service", "[Service]\nExecStart=/opt/watch --of /usr/local/bin/k3s\n")
    host.unit("k3s-watch")

    stop(world)

    assert host.unit_state("k3s-watch") == ("active", "enabled")


def test_pods_of_k3ss_own_containerd_end_with_it(world: World) -> None:
    world.has_moved()
    host = world.hosts["vm-1"]
    host.tell("shims", "900\n901")

    assert stop(world).change is Change.CHANGED
    assert [line for line in host.state("did").splitlines() if line.startswith("kill")] == ["kill -TERM 900 901"]
    assert stop(world).change is Change.UNCHANGED


def test_pods_that_k3s_left_behind_are_found_when_it_is_off_already(world: World) -> None:
    world.has_moved()
    host = world.hosts["vm-1"]
    host.run("systemctl disable --now k3s; docker stop k8s_web_shop", what="given")
    host.tell("shims", "900")

    assert stop(world).change is Change.CHANGED
    host.tell("shims", "901")
    host.tell("unkillable", "yes")
    with pytest.raises(VerificationError, match=r"k3s was stopped, but .*1 pods of its containerd run.*\[k3s-not-stopped\]"):
        stop(world)


def test_a_k3s_that_was_stopped_by_hand_is_off_and_its_unit_may_have_failed(world: World) -> None:
    world.has_moved()
    host = world.hosts["vm-1"]
    host.run("systemctl disable --now k3s; docker stop k8s_web_shop", what="given")

    assert stop(world).change is Change.UNCHANGED


def leads(world: World, name: str) -> None:
    world.hosts["vm-1"].tell("hostname", "vm-1.example")
    world.kube.locks["kube-system/k3s"] = name


def test_the_lock_of_a_stopped_leader_is_given_back(world: World) -> None:
    world.has_moved()
    leads(world, "vm-1.example")

    stop(world)

    assert world.kube.locks == {"kube-system/k3s": ""}


def test_the_lock_of_a_leader_that_a_killed_run_has_stopped_is_given_back(world: World) -> None:
    stopped(world)
    leads(world, "vm-1.example")
    world.forget()

    assert stop(world).change is Change.CHANGED
    assert world.kube.locks == {"kube-system/k3s": ""}
    assert stop(world).change is Change.UNCHANGED


def test_a_leader_that_does_not_stop_keeps_its_lock(world: World) -> None:
    world.has_moved()
    leads(world, "vm-1.example")
    world.hosts["vm-1"].tell("units/k3s/stubborn", "yes")

    with pytest.raises(VerificationError, match="k3s-not-stopped"):
        stop(world)
    assert world.kube.locks == {"kube-system/k3s": "vm-1.example"}


def test_the_lock_of_another_server_stays_its(world: World) -> None:
    world.has_moved()
    leads(world, "phys-1")

    stop(world)

    assert world.kube.locks == {"kube-system/k3s": "phys-1"}


def test_a_k3s_that_no_unit_runs_is_an_error(world: World) -> None:
    world.has_moved()
    host = world.hosts["vm-1"]
    host.tell("unkillable", "yes")

    with pytest.raises(VerificationError, match=r"a process of no unit called k3s\* runs: 4711 k3s-server.*\[k3s-not-stopped\]"):
        stop(world)


def test_a_node_that_k3s_takes_a_while_to_let_go_is_waited_for(world: World) -> None:
    stopped(world)
    world.kube.held = {"vm-1": 60}

    assert delete(world).change is Change.CHANGED
    assert "vm-1" not in world.kube.node_map


def test_a_node_that_k3s_never_lets_go_is_an_error(world: World) -> None:
    stopped(world)
    world.kube.held = {"vm-1": 10_000}

    with pytest.raises(
        DeadlineExceededError, match=r"vm-1 is no node any more: not within 120 s: .*finalizer.*\[node-not-deleted\]"
    ):
        delete(world)


def test_a_node_that_an_earlier_run_deleted_is_waited_for_again(world: World) -> None:
    stopped(world)
    world.kube.held = {"vm-1": 200}
    with pytest.raises(DeadlineExceededError):
        delete(world)

    assert delete(world).change is Change.CHANGED


def test_a_node_that_we_have_deleted_is_done(world: World) -> None:
    stopped(world)
    delete(world)

    assert delete(world).why == "not a node"
    assert cordon(world).why == "no longer a node"


def test_a_node_that_was_never_there_is_neither_cordoned_nor_deleted(world: World) -> None:
    world.kube.node_map.clear()

    for step in (cordon, delete):
        with pytest.raises(RefusedError, match=r"vm-1: no node is called vm-1 and none is at 10.0.0.11.*\[node-source-missing\]"):
            step(world)


def test_a_node_of_this_name_at_another_address_is_not_cordoned(world: World) -> None:
    world.kube.joins("vm-1", "10.0.0.99", server=False)
    world.forget()

    with pytest.raises(RefusedError, match=r"vm-1: the node of this name is at 10.0.0.99, expected 10.0.0.11"):
        cordon(world)
    assert world.mutations == []


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


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (ensure_cordoned, r"is cordoned: not within 30 s: it is schedulable: kubectl cordon vm-1 \[node-not-cordoned\]"),
        (ensure_uncordoned, r"is schedulable: not within 30 s: it is cordoned: kubectl uncordon vm-1 \[node-stays-cordoned\]"),
    ],
)
def test_a_node_that_somebody_else_puts_back_is_an_error(world: World, step: Any, said: str) -> None:
    if step is ensure_uncordoned:
        world.kube.set_unschedulable("vm-1", True)
    before = world.kube.node_map["vm-1"]
    world.kube.whenever("set_unschedulable", lambda: world.kube.node_map.update({"vm-1": before}))

    with pytest.raises(DeadlineExceededError, match=f"^vm-1 {said}$"):
        step.fn(world.run(), world.platform.sources[0], world.kube, world.record)
