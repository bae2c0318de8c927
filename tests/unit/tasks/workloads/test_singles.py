"""A second replica is made only where two may run; what gets none is reported with the reason."""

from typing import Any

import pytest
from pydantic import ValidationError

from tasks.engine.outcome import Outcome
from tasks.workloads.singles import check_surge
from tasks.workloads.surge import to_surge
from tests.fakes.platform import platform
from tests.fakes.workload import FakeWorkload
from tests.fakes.world import World


def has_single(world: World, **facts: Any) -> None:
    world.kube.has(FakeWorkload("Deployment", "shop", "orders", 1, **facts), on="vm-1")


def check(world: World) -> Outcome:
    return check_surge.fn(world.run(), world.platform, world.kube)


def surged(world: World) -> list[str]:
    return [workload.name for workload in to_surge(world.platform, world.kube, ["vm-1", "vm-2"])]


def with_volume(*mounts: dict[str, Any], **source: Any) -> dict[str, Any]:
    container = {"name": "main", "image": "app/web:2.0", "volumeMounts": list(mounts)}
    return {"containers": [container], "volumes": [{"name": "data", **source}]}


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ({"persistentVolumeClaim": {"claimName": "data"}}, "persistentVolumeClaim"),
        ({"hostPath": {"path": "/data/mysql"}}, "hostPath"),
        ({"nfs": {"server": "10.0.0.50", "path": "/"}}, "nfs"),
        ({"glusterfs": {"endpoints": "lake", "path": "uap"}}, "glusterfs"),
        ({"csi": {"driver": "x"}}, "csi"),
        ({"iscsi": {"targetPortal": "10.0.0.50"}}, "iscsi"),
    ],
    ids=str,
)
def test_two_that_would_write_to_one_volume_are_not_surged(world: World, source: dict[str, Any], kind: str) -> None:
    has_single(world, spec=with_volume(**source))

    assert surged(world) == []
    assert [str(finding) for finding in check(world).findings] == [
        f"Deployment shop/orders: has one replica and gets no second one: its volume data ({kind}) would be written to by both; it is "
        "interrupted while its pod moves: if two may run at a time, list shop/orders in drain.surge [surge-not-made]"
    ]


@pytest.mark.parametrize(
    "spec",
    [
        with_volume(emptyDir={}),
        with_volume(configMap={"name": "a"}),
        with_volume(secret={"secretName": "a"}),
        with_volume(projected={"sources": []}),
        with_volume(hostPath={"path": "/etc/localtime"}),
        with_volume({"name": "data", "readOnly": True}, hostPath={"path": "/data/models"}),
        {},
    ],
    ids=str,
)
def test_one_whose_volumes_are_its_own_or_only_read_is_surged(world: World, spec: dict[str, Any]) -> None:
    has_single(world, spec=spec)

    assert surged(world) == ["orders"]
    assert (check(world).why, check(world).findings) == ("run twice while they move: shop/orders", ())


def test_a_volume_that_one_of_two_containers_writes_to_is_not_only_read(world: World) -> None:
    spec = with_volume({"name": "data", "readOnly": True}, hostPath={"path": "/data/models"})
    writer = {"name": "writer", "image": "app/web:2.0", "volumeMounts": [{"name": "data"}]}
    has_single(world, spec={**spec, "containers": [*spec["containers"], writer]})

    assert surged(world) == []


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ({"containers": [{"name": "main", "image": "a", "ports": [{"hostPort": 3306}]}]}, "uses port 3306 of its node"),
        ({"hostNetwork": True}, "uses its node's network"),
    ],
)
def test_one_that_takes_a_port_of_its_node_is_not_surged(world: World, spec: dict[str, Any], reason: str) -> None:
    has_single(world, spec=spec)

    assert surged(world) == []
    assert reason in check(world).findings[0].what


def test_what_an_autoscaler_or_an_owner_scales_is_not_surged(world: World) -> None:
    has_single(world)
    target = {"kind": "Deployment", "name": "orders"}
    world.kube.put("HorizontalPodAutoscaler", "shop", "orders", spec={"scaleTargetRef": target})
    assert surged(world) == []
    world.kube.objects.clear()

    world.kube.put("HorizontalPodAutoscaler", "other", "orders", spec={"scaleTargetRef": target})
    assert surged(world) == ["orders"]

    world.kube.workload_list[-1].meta = {"ownerReferences": [{"kind": "App", "name": "shop", "controller": True}]}
    assert "App shop owns it" in check(world).findings[0].what


def test_the_config_decides_by_name(world: World) -> None:
    has_single(world, spec=with_volume(hostPath={"path": "/data/orders"}), recreate=True)
    world.platform = platform(drain={"surge": ["shop/orders"]})
    assert surged(world) == ["orders"]

    world.platform = platform(drain={"no_surge": ["shop/orders"]})
    assert surged(world) == []
    assert "drain.no_surge lists it" in check(world).findings[0].what


def test_a_name_can_not_be_in_both_lists() -> None:
    with pytest.raises(ValidationError, match=r"shop/orders is in surge and in no_surge: leave it out of one of them"):
        platform(drain={"surge": ["shop/orders"], "no_surge": ["shop/orders"]})
