"""What preflight says of the lab's own workloads and config, computed from the manifests that the lab applies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from configs.load import load_platform
from deployments.lab import inventory, objects, platform
from tasks.engine.finding import FindingsError
from tasks.placement.budgets import check_budgets
from tasks.placement.placement import check_placement
from tasks.residue.checks import check_residue
from tasks.workloads.singles import check_surge
from tests.fakes.clock import FakeTime
from tests.fakes.workload import FakeWorkload
from tests.fakes.world import World

SOURCES = ("vm-1", "vm-2", "vm-3.lab.example")


class FromManifest(FakeWorkload):
    """As the manifest has it, with the labels of its pods."""

    @property
    def labels(self) -> dict[str, str]:
        return {"cloneset": "pool"} if self.kind == "CloneSet" else {"app": self.name}


@pytest.fixture
def lab(folder: Path, time: FakeTime) -> World:
    world = World(folder, time, load_platform(inventory.CONFIG))
    world.kube.workload_list.clear()
    world.kube._pods.clear()
    for source in SOURCES:
        world.kube.node_labels[source] = {"uap-backup": "1"} | ({"ecology/middleware": "true"} if source in SOURCES[:2] else {})
    for host in world.hosts.values():
        host.write("/usr/local/lib/kubernetes/kubectl", "")
    apply(world, platform.MANIFESTS / "demanding.yaml")
    return world


def apply(world: World, path: Path) -> None:
    """Its workloads run, one pod on each source in turn; its other objects are there, claims bound to the volumes that they name."""
    manifests = list(yaml.safe_load_all(path.read_text(encoding="utf-8")))
    claims = {m["spec"]["volumeName"]: m["metadata"] for m in manifests if m["kind"] == "PersistentVolumeClaim"}
    for manifest in manifests:
        kind, meta, spec = manifest["kind"], manifest["metadata"], manifest.get("spec", {})
        if kind in ("Deployment", "StatefulSet", "CloneSet"):
            run(world, kind, meta, spec, manifest["apiVersion"])
        elif spec:
            bound = {"claimRef": claims[meta["name"]]} if kind == "PersistentVolume" else {}
            world.kube.put(kind, meta.get("namespace", "-"), meta["name"], spec={**spec, **bound})


def run(world: World, kind: str, meta: dict[str, Any], spec: dict[str, Any], api: str) -> None:
    pod = dict(spec["template"]["spec"])
    pod["volumes"] = [
        *pod.get("volumes", ()),
        *({"name": one["metadata"]["name"], "persistentVolumeClaim": {"claimName": f"{one['metadata']['name']}-{meta['name']}-0"}}
          for one in spec.get("volumeClaimTemplates", ())),
    ]  # fmt: skip
    workload = FromManifest(kind, meta["namespace"], meta["name"], spec["replicas"], spec=pod, api=api)
    world.kube.workload_list.append(workload)
    for number in range(workload.replicas):
        world.kube._replica(workload, node=SOURCES[number], turns=0)


def found(world: World) -> set[tuple[str, str]]:
    """Of all checks of the drains: ids and places."""
    here = set()
    for check in (check_surge, check_budgets, check_residue):
        here |= findings(lambda check=check: check.fn(world.run(), world.platform, world.kube))
    return here | findings(lambda: check_placement.fn(world.run(), world.platform, world.kube, world.hosts))


def findings(check: Any) -> set[tuple[str, str]]:
    try:
        said = check().findings
    except FindingsError as refused:
        said = refused.findings
    return {(finding.id, finding.where) for finding in said}


NOTES = {("surge-not-made", "Deployment iottepa/cache"), ("surge-not-made", "Deployment iottepa/clonesets")}


def test_the_labs_own_workloads_move_with_its_own_config(lab: World) -> None:
    assert found(lab) == NOTES


def test_without_the_labels_of_the_config_they_would_not(lab: World) -> None:
    one = [target.model_copy(update={"labels": {}}) for target in lab.platform.targets]
    lab.platform = lab.platform.model_copy(update={"targets": tuple(one)})
    assert found(lab) == {*NOTES, ("pod-finds-no-room", "Deployment iottepa/session")}

    none = [target.model_copy(update={"labels_from": None}) for target in one]
    lab.platform = lab.platform.model_copy(update={"targets": tuple(none)})
    assert ("pod-runs-nowhere", "Deployment iottepa/session") in found(lab)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("budget-never", {("budget-never-allows", "PodDisruptionBudget strict/gateway")}),
        ("local-volume", {("volume-stays", "StatefulSet store/archive"), ("host-data-stays", "StatefulSet store/archive")}),
        ("pinned-cron", {("source-needed-later", "CronJob iottepa/report")}),
    ],
)
def test_each_fault_that_is_an_object_is_found_and_nothing_else(lab: World, name: str, said: set[tuple[str, str]]) -> None:
    apply(lab, objects.FOLDER / f"{name}.yaml")

    pinned = {("source-needed-later", "PersistentVolume -/archive-vm-1")} if name == "local-volume" else set()
    assert found(lab) == NOTES | said | pinned
