"""Pods leave by eviction, within their budgets; a drain that is given up is undone."""

from dataclasses import replace

import pytest

from blocks.errors import DeadlineExceededError, EtcdUnavailableError, KubeUnavailableError, RefusedError
from tasks.engine.outcome import Change, Outcome
from tasks.workloads.drain import ensure_drained, why_stays
from tasks.workloads.owners import ensure_ready_recorded
from tests.fakes.platform import platform
from tests.fakes.workload import FakeWorkload
from tests.fakes.world import World
from tests.unit.tasks.cases import cordoned


def drain(world: World, *, dry: bool = False) -> Outcome:
    source = world.platform.sources[0]
    return ensure_drained.fn(world.run(dry=dry), source, world.platform, world.kube, world.record)


def moving(world: World) -> list[str]:
    return [str(pod) for pod in world.kube.pods("vm-1") if why_stays(pod) is None]


def test_every_pod_is_evicted_and_its_workload_is_complete_elsewhere(world: World) -> None:
    cordoned(world)

    drain(world)

    assert moving(world) == []
    assert [workload.ready for workload in world.kube.workloads()] == [2, 1, 5]


def test_a_budget_is_waited_for(world: World) -> None:
    cordoned(world)
    world.kube.budgets["shop/web"] = 10

    assert drain(world).change is Change.CHANGED


def test_a_pod_that_ends_is_not_asked_again(world: World) -> None:
    cordoned(world)
    world.kube.polls = 5

    drain(world)

    assert world.kube.mutations.count("evict shop/web-1") == 1


def test_a_drain_that_is_given_up_uncordons_and_says_each_pods_reason(world: World) -> None:
    world.platform = platform(timeouts={"drain_s": 20})
    cordoned(world)
    world.kube.budgets["shop/web-2"] = 10_000
    world.kube.polls = 1_000

    with pytest.raises(DeadlineExceededError) as given_up:
        drain(world)

    assert str(given_up.value).startswith("vm-1: not drained within 20 s: ")
    assert str(given_up.value).endswith(
        "relax its disruption budget, then run the same command again [node-not-drained]"
    )
    assert "shop/web-1: is terminating: in its grace period, or its kubelet is late" in str(given_up.value)
    assert "shop/web-2: Cannot evict pod as it would violate the pod's disruption budget.: give the workload" in str(
        given_up.value
    )
    assert world.kube.node_map["vm-1"].unschedulable is False


def test_an_eviction_that_the_api_never_grants_is_reported_and_holds_up_no_other_pod(world: World) -> None:
    world.platform = platform(timeouts={"drain_s": 20})
    cordoned(world)
    two = KubeUnavailableError("HTTP 500: This pod has more than one PodDisruptionBudget")
    world.kube.fail("evict", two, times=10_000)

    with pytest.raises(DeadlineExceededError) as given_up:
        drain(world)

    for pod in ("shop/web-1", "shop/web-2", "shop/client"):
        assert f"{pod}: HTTP 500: This pod has more than one PodDisruptionBudget" in str(given_up.value)


@pytest.mark.parametrize("facts", [{"mirror": True}, {"owner": "DaemonSet"}, {"phase": "Succeeded"}], ids=str)
def test_static_daemon_and_finished_pods_stay(world: World, facts: dict[str, object]) -> None:
    cordoned(world)
    world.kube.bare("kube-system", "stays", on="vm-1", **facts)

    drain(world)

    assert world.kube.on("vm-1") == ["kube-system/stays"]


def test_a_node_that_is_not_cordoned_is_not_drained(world: World) -> None:
    cordoned(world)
    world.kube.set_unschedulable("vm-1", False)
    world.forget()

    with pytest.raises(
        RefusedError, match=r"vm-1: draining: the node is not cordoned: kubectl cordon vm-1.*\[drain-node-schedulable\]"
    ):
        drain(world)
    assert world.mutations == []


def test_an_api_that_is_away_for_a_moment_does_not_end_the_drain(world: World) -> None:
    cordoned(world)
    world.kube.fail("evict", KubeUnavailableError("no API server answered"), times=4)

    assert drain(world).change is Change.CHANGED


def test_an_error_that_a_retry_can_heal_leaves_the_node_cordoned(world: World) -> None:
    cordoned(world)
    world.keys.fail("put", EtcdUnavailableError("electing a leader"))
    with pytest.raises(EtcdUnavailableError):
        drain(world)

    assert drain(world).change is Change.CHANGED


def test_a_workload_that_does_not_come_back_is_an_error_with_its_pods_reasons(world: World) -> None:
    world.platform = platform(timeouts={"pod_ready_s": 5})
    for source in world.platform.sources:
        world.kube.set_unschedulable(source.name, True)

    with pytest.raises(
        DeadlineExceededError, match=r"all workloads are complete without vm-1: .*\[drain-workloads-incomplete\]"
    ):
        drain(world)


def test_an_ignored_workload_is_not_awaited(world: World) -> None:
    world.platform = platform(timeouts={"pod_ready_s": 5}, ignore_workloads=["Deployment shop/broken"])
    world.kube.never_ready = {"shop/broken-"}
    world.kube.has(FakeWorkload("Deployment", "shop", "broken", 0))
    world.kube.workload_list[-1].replicas = 1
    cordoned(world)

    assert drain(world).change is Change.CHANGED


def test_pods_of_an_operators_controller_are_awaited_before_the_next_source(world: World) -> None:
    world.platform = platform(timeouts={"pod_ready_s": 5})
    world.kube.has(FakeWorkload("CloneSet", "shop", "tikv", 2, api="apps.kruise.io/v1alpha1"), on="vm-1")
    ensure_ready_recorded.fn(world.run(), world.platform, world.kube, world.record)
    cordoned(world)
    world.kube.never_ready = {"shop/tikv-"}

    with pytest.raises(DeadlineExceededError, match=r"CloneSet.apps.kruise.io shop/tikv: 0 of 2 ready: list in ignore_workloads"):
        drain(world)


def test_a_source_that_is_no_longer_a_node_is_drained(world: World) -> None:
    world.has_left()

    assert drain(world) == Outcome(Change.UNCHANGED, "no longer a node")


def test_a_source_that_was_never_a_node_is_not_taken_for_drained(world: World) -> None:
    del world.kube.node_map["vm-1"]
    world.kube.joins("vm-1.example.com", "10.0.0.11", server=True)
    world.forget()

    with pytest.raises(RefusedError, match=r"the node at 10.0.0.11 is called vm-1.example.com.*\[node-source-missing\]"):
        drain(world)
    assert world.mutations == []


def test_a_dry_run_lists_the_pods_and_notes_bare_ones(world: World) -> None:
    cordoned(world)

    outcome = drain(world, dry=True)

    assert outcome.why == "evicted: shop/web-1, shop/web-2, shop/client"
    assert [str(finding) for finding in outcome.findings] == [
        "Pod shop/client: has no controller: it is made anew elsewhere [bare-pod]"
    ]


def test_a_pod_that_stays_has_a_reason(world: World) -> None:
    pod = world.kube.pods("vm-1")[0]

    assert why_stays(pod) is None
    assert why_stays(replace(pod, mirror=True)) == "a static pod"
    assert why_stays(replace(pod, phase="Failed")) == "finished"
