"""What pods require of each other is computed drain by drain, as the scheduler would meet it."""

from typing import Any

import pytest

from tests.fakes.platform import CONFIG, platform
from tests.fakes.workload import FakeWorkload
from tests.fakes.world import World
from tests.unit.tasks.placement.test_placement import HOSTNAME, check, container, has_size, refused

ZONE = "topology.kubernetes.io/zone"
NO_COMPANY = "none of the pods that it wants is there"


def has(world: World, name: str, *, on: str = "vm-1", replicas: int = 1, kind: str = "StatefulSet", **spec: Any) -> None:
    world.kube.has(FakeWorkload(kind, "shop", name, replicas, spec=spec), on=on)


def beside(app: str, key: str = HOSTNAME, **more: Any) -> dict[str, Any]:
    term = {"labelSelector": {"matchLabels": {"app": app}}, "topologyKey": key, **more}
    return {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}


def spread(*apps: str, key: str = HOSTNAME, **more: Any) -> list[dict[str, Any]]:
    selector = {"matchExpressions": [{"key": "app", "operator": "In", "values": list(apps)}]}
    return [{"maxSkew": 1, "topologyKey": key, "whenUnsatisfiable": "DoNotSchedule", "labelSelector": selector, **more}]


def labelled(world: World, key: str, *, sources: str, targets: str) -> None:
    world.kube.node_labels |= {source.name: {key: sources} for source in world.platform.sources}
    world.platform = platform(targets=[{**target, "labels": {key: targets}} for target in CONFIG["targets"]])


def warned(world: World) -> list[str]:
    return [str(finding) for finding in check(world).findings]


def test_a_pod_follows_its_company_to_a_target(world: World) -> None:
    has(world, "cache", affinity=beside("session"))
    has(world, "session", replicas=2)

    assert check(world).findings == ()


def test_company_that_is_nowhere_is_refused(world: World) -> None:
    has(world, "cache", affinity=beside("session"))

    (line,) = refused(world)

    assert f"phys-1, phys-2, phys-3: podAffinity by {HOSTNAME}: {NO_COMPANY}" in line
    assert line.endswith("[pod-finds-no-room]")


def test_pods_that_want_each_other_begin_somewhere_and_stay_together(world: World) -> None:
    for target in world.platform.targets:
        has_size(world, target.name, cpus=4, gib=8)
    has(world, "ring", replicas=2, affinity=beside("ring"), **container(resources={"requests": {"cpu": 2}}))
    assert check(world).findings == ()

    has(world, "ring-more", affinity=beside("ring"), **container(resources={"requests": {"cpu": 1}}))
    assert [finding.id for finding in check(world).findings] == ["pod-may-find-no-room"]


def test_company_that_may_go_elsewhere_is_a_warning(world: World) -> None:
    has_size(world, "phys-1", cpus=4, gib=4)
    for name in ("phys-2", "phys-3"):
        has_size(world, name, cpus=4, gib=8)
    has(world, "cache", nodeSelector={HOSTNAME: "phys-1"}, affinity=beside("session"))
    has(world, "session")

    assert warned(world) == [
        "StatefulSet shop/cache: whether all of its pods find a node depends on which come first, and on the scheduler: "
        f"phys-1: podAffinity by {HOSTNAME}: {NO_COMPANY}: add a target, or let the workload have fewer replicas or smaller "
        "requests while it moves, to be sure [pod-may-find-no-room]"
    ]


@pytest.mark.parametrize(("cache", "session", "fits"), [("vm-1", "vm-2", False), ("vm-2", "vm-1", True), ("vm-2", "vm-2", True)])
def test_company_that_is_drained_later_keeps_a_pod_pending(world: World, cache: str, session: str, fits: bool) -> None:
    labelled(world, ZONE, sources="old", targets="new")
    has(world, "cache", on=cache, affinity=beside("session", ZONE))
    has(world, "session", on=session)

    if fits:
        assert check(world).findings == ()
    else:
        assert f"podAffinity by {ZONE}: {NO_COMPANY}" in refused(world)[0]


@pytest.mark.parametrize("spec", [{"affinity": beside("db", ZONE)}, {"topologySpreadConstraints": spread("db", key=ZONE)}])
def test_a_target_without_the_label_is_in_no_topology(world: World, spec: dict[str, Any]) -> None:
    has(world, "db", **spec)

    (line,) = refused(world)

    assert f"by {ZONE}, which it has no label of" in line
    assert line.endswith("[pod-runs-nowhere]")


def test_a_spread_counts_the_emptied_sources_as_topologies_of_none(world: World) -> None:
    has(world, "db", replicas=3, topologySpreadConstraints=spread("db", "db-more"))
    assert check(world).findings == ()

    has(world, "more", replicas=4, topologySpreadConstraints=spread("more"))
    assert refused(world) == [
        "StatefulSet shop/more: not all of its pods would find a node beside the others: phys-1, phys-2, phys-3: "
        f"topologySpreadConstraints by {HOSTNAME}: 2 there, 0 elsewhere, maxSkew 1: add a target, or let the workload have "
        "fewer replicas or smaller requests while it moves [pod-finds-no-room]"
    ]


def test_a_spread_that_counts_pods_of_others_is_not_sure(world: World) -> None:
    has(world, "db", replicas=3, topologySpreadConstraints=spread("db", "db-more"))
    has(world, "db-more", topologySpreadConstraints=spread("db", "db-more"))

    assert {line.partition("[")[2] for line in warned(world)} == {"pod-may-find-no-room]"}


def test_a_spread_counts_only_nodes_that_the_pod_selects(world: World) -> None:
    labelled(world, "tier", sources="old", targets="new")
    has(world, "db", replicas=4, nodeSelector={"tier": "new"}, topologySpreadConstraints=spread("db"))

    assert check(world).findings == ()


def test_a_spread_that_only_asks_keeps_nothing_off(world: World) -> None:
    has(world, "db", replicas=4, topologySpreadConstraints=spread("db", whenUnsatisfiable="ScheduleAnyway"))

    assert check(world).findings == ()


def test_an_anti_affinity_to_every_pod_is_one_without_labels(world: World) -> None:
    term = {"labelSelector": {}, "topologyKey": HOSTNAME, "namespaces": ["shop"]}
    has(world, "hermit", affinity={"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}})
    assert check(world).findings == ()

    has(world, "crowd", replicas=3)
    assert [line.partition(":")[0] for line in warned(world)] == ["StatefulSet shop/hermit"]


def test_pods_that_would_fit_in_another_order_are_a_warning(world: World) -> None:
    for name, cpus in (("phys-1", 4), ("phys-2", 4), ("phys-3", 1)):
        has_size(world, name, cpus=cpus, gib=8)
    has(world, "small", replicas=2, **container(resources={"requests": {"cpu": 2, "memory": "2Gi"}}))
    has(world, "big", **container(resources={"requests": {"cpu": 4, "memory": "1Gi"}}))

    (line,) = warned(world)

    assert line.startswith("StatefulSet shop/big: whether all of its pods find a node depends on which come first")
    assert "phys-1, phys-2: requests 4 CPUs, has left 2 CPUs" in line


def test_the_second_replica_of_a_surge_must_find_a_node_before_the_drains(world: World) -> None:
    has(world, "session", replicas=2)
    has(world, "cache", kind="Deployment", affinity=beside("session"))

    (line,) = refused(world)

    assert line.endswith(f"{NO_COMPANY}: list shop/cache in drain.no_surge [pod-finds-no-room]")
    world.platform = platform(drain={"no_surge": ["shop/cache"]})
    assert check(world).findings == ()


def test_what_is_of_a_later_kubernetes_is_named_not_judged(world: World) -> None:
    has(world, "session")
    has(world, "cache", affinity=beside("session", namespaceSelector={}), topologySpreadConstraints=spread("cache", minDomains=3))

    assert warned(world) == [
        "StatefulSet shop/cache: its pods require podAffinity.namespaceSelector, topologySpreadConstraints.minDomains, which is not "
        "computed: see that the targets satisfy it [pod-may-find-no-room]"
    ]
