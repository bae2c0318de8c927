"""A budget that never lets a pod go is found before anything is changed."""

from typing import Any

import pytest

from tasks.engine.finding import FindingsError
from tasks.engine.outcome import Outcome
from tasks.placement.budgets import allowed, check_budgets
from tests.fakes.platform import platform
from tests.fakes.workload import FakeWorkload
from tests.fakes.world import World


def check(world: World) -> Outcome:
    return check_budgets.fn(world.run(), world.platform, world.kube)


def refused(world: World) -> list[str]:
    with pytest.raises(FindingsError) as error:
        check(world)
    return str(error.value).splitlines()


def has_budget(world: World, app: str, name: str = "", *, namespace: str = "shop", status: Any = None, **limit: Any) -> None:
    spec = {"selector": {"matchLabels": {"app": app}}, **limit}
    world.kube.put("PodDisruptionBudget", namespace, name or app, spec=spec, status=status or {})


@pytest.mark.parametrize(
    ("limit", "pods", "room"),
    [
        ({"minAvailable": 1}, 1, 0),
        ({"minAvailable": 1}, 2, 1),
        ({"minAvailable": 3}, 2, 0),
        ({"minAvailable": "100%"}, 5, 0),
        ({"minAvailable": "50%"}, 3, 1),
        ({"maxUnavailable": 0}, 5, 0),
        ({"maxUnavailable": 2}, 5, 2),
        ({"maxUnavailable": "0%"}, 5, 0),
        ({"maxUnavailable": "10%"}, 5, 1),
        ({}, 5, 0),
    ],
)
def test_how_many_pods_a_budget_lets_go(limit: dict[str, Any], pods: int, room: int) -> None:
    assert allowed(limit, pods) == room


def test_without_budgets_every_pod_may_go(world: World) -> None:
    assert check(world).why == "4 pods would be evicted, 0 budgets cover some of them"


def test_a_budget_that_never_allows_an_eviction_is_refused(world: World) -> None:
    has_budget(world, "backup-ctl", namespace="uap", minAvailable=1)

    assert refused(world) == [
        "PodDisruptionBudget uap/backup-ctl: minAvailable 1 with 1 pods of StatefulSet uap/backup-ctl allows no eviction, ever: "
        "give the workload one more replica, or kubectl edit poddisruptionbudget -n uap backup-ctl [budget-never-allows]"
    ]


def test_the_second_replica_of_a_surge_counts(world: World) -> None:
    world.kube.has(FakeWorkload("Deployment", "shop", "orders", 1), on="vm-1")
    has_budget(world, "orders", minAvailable=1, status={"expectedPods": 1, "disruptionsAllowed": 0})

    assert check(world).findings == ()

    world.platform = platform(drain={"no_surge": ["shop/orders"]})
    assert refused(world)[0].endswith("[budget-never-allows]")


def test_two_budgets_for_one_pod_are_refused_once_for_all_pods_of_a_workload(world: World) -> None:
    has_budget(world, "web", "first", minAvailable=1)
    has_budget(world, "web", "second", maxUnavailable=1)

    (line,) = refused(world)

    assert line.startswith("Deployment shop/web: 2 disruption budgets cover its pods: shop/first, shop/second; the API evicts none")


def test_a_budget_with_expressions_selects_what_they_say(world: World) -> None:
    selector = {"matchExpressions": [{"key": "app", "operator": "In", "values": ["web"]}, {"key": "old", "operator": "DoesNotExist"}]}
    world.kube.put("PodDisruptionBudget", "shop", "web", spec={"selector": selector, "maxUnavailable": 0})

    assert refused(world)[0].startswith("PodDisruptionBudget shop/web: maxUnavailable 0 with 2 pods")


@pytest.mark.parametrize(("namespace", "app"), [("uap", "web"), ("shop", "other")])
def test_a_budget_of_others_is_no_matter(world: World, namespace: str, app: str) -> None:
    has_budget(world, app, namespace=namespace, maxUnavailable=0)

    assert check(world).findings == ()


def test_a_budget_without_a_selector_covers_nothing(world: World) -> None:
    world.kube.put("PodDisruptionBudget", "shop", "empty", spec={"selector": {}, "maxUnavailable": 0})

    assert check(world).findings == ()


def test_a_budget_that_allows_some_at_a_time_is_a_note(world: World) -> None:
    has_budget(world, "web", minAvailable=1, status={"expectedPods": 2, "disruptionsAllowed": 1})

    assert [str(finding) for finding in check(world).findings] == [
        "PodDisruptionBudget shop/web: lets 1 of 2 pods go at a time; the drain waits for each [budget-in-turns]"
    ]


def test_a_budget_that_is_used_up_now_is_a_warning(world: World) -> None:
    has_budget(world, "web", minAvailable=1, status={"expectedPods": 2, "disruptionsAllowed": 0, "currentHealthy": 1, "desiredHealthy": 1})

    assert [finding.id for finding in check(world).findings] == ["budget-used-up"]


def test_once_the_sources_are_drained_no_budget_matters(world: World) -> None:
    has_budget(world, "web", maxUnavailable=0)
    world.has_moved()

    assert check(world).why == "0 pods would be evicted, 0 budgets cover some of them"
