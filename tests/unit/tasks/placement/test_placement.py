"""A pod that would run on no target is found before anything is changed, with the field that says so."""

from typing import Any

import pytest

from tasks.engine.finding import FindingsError
from tasks.engine.outcome import Outcome
from tasks.placement.placement import check_placement
from tests.fakes.platform import CONFIG, platform
from tests.fakes.workload import FakeWorkload
from tests.fakes.world import World

HOSTNAME = "kubernetes.io/hostname"


def check(world: World) -> Outcome:
    return check_placement.fn(world.run(), world.platform, world.kube, world.hosts)


def refused(world: World) -> list[str]:
    with pytest.raises(FindingsError) as error:
        check(world)
    return str(error.value).splitlines()


def needs(world: World, name: str = "db", *, replicas: int = 1, kind: str = "StatefulSet", **spec: Any) -> None:
    world.kube.has(FakeWorkload(kind, "shop", name, replicas, spec=spec), on="vm-1")


def container(**parts: Any) -> dict[str, Any]:
    return {"containers": [{"name": "main", "image": "app/db:1.0", **parts}]}


def requires(key: str, operator: str, *values: str) -> dict[str, Any]:
    terms = [{"matchExpressions": [{"key": key, "operator": operator, "values": list(values)}]}]
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}


def targets(**of_first: Any) -> Any:
    first, *others = CONFIG["targets"]
    return [{**first, **of_first}, *others]


def has_size(world: World, name: str, *, cpus: int, gib: int) -> None:
    world.hosts[name].write("/proc/cpuinfo", "processor\t: 0\n" * cpus)
    world.hosts[name].write("/proc/meminfo", f"MemTotal:       {gib << 20} kB\n")


def test_pods_that_want_nothing_fit(world: World) -> None:
    outcome = check(world)

    assert (outcome.why, outcome.findings) == ("4 pods would move to 3 nodes", ())


def test_a_node_selector_that_no_target_matches_is_refused(world: World) -> None:
    needs(world, nodeSelector={"disk": "ssd"})

    assert refused(world) == [
        "StatefulSet shop/db: its pods would run on no target: phys-1, phys-2, phys-3: nodeSelector disk=ssd: "
        "write labels, taints or labels_from at targets in the config, or correct the workload [pod-runs-nowhere]"
    ]


@pytest.mark.parametrize("of_first", [{"labels": {"disk": "ssd"}}, {"args": ["--node-label=disk=ssd"]}, {"labels_from": "vm-1"}])
def test_the_config_can_give_a_target_the_label(world: World, of_first: dict[str, Any]) -> None:
    world.kube.node_labels["vm-1"] = {"disk": "ssd"}
    world.platform = platform(targets=targets(**of_first))
    needs(world, nodeSelector={"disk": "ssd"})

    assert check(world).findings == ()


def test_a_target_that_has_joined_is_judged_by_what_it_has(world: World) -> None:
    world.has_nodes("phys-2")
    world.kube.node_labels["phys-2"] = {"disk": "ssd"}
    needs(world, nodeSelector={"disk": "ssd"})

    assert check(world).findings == ()


@pytest.mark.parametrize("of_first", [{"labels": {"disk": "ssd"}}, {"labels_from": "vm-1"}])
def test_a_target_that_has_joined_and_is_not_labelled_yet_is_judged_by_what_it_will_have(world: World, of_first: dict[str, Any]) -> None:
    world.has_nodes("phys-1")
    world.kube.node_labels["vm-1"] = {"disk": "ssd"}
    world.platform = platform(targets=targets(**of_first, taints=["dedicated=db:NoSchedule"]))
    needs(world, nodeSelector={"disk": "ssd"})

    (line,) = (line for line in refused(world) if "[pod-runs-nowhere]" in line)
    assert "phys-1: no toleration of the taint dedicated=db:NoSchedule; phys-2, phys-3: nodeSelector disk=ssd" in line


def test_a_target_that_is_not_ready_at_the_moment_is_a_place_and_a_cordoned_one_is_none(world: World) -> None:
    world.has_nodes("phys-1", "phys-2", "phys-3")
    for name in ("phys-1", "phys-2", "phys-3"):
        world.kube.node_taints[name] = [{"key": "node.kubernetes.io/not-ready", "effect": "NoExecute"}]
    assert check(world).findings == ()

    for name in ("phys-1", "phys-2", "phys-3"):
        world.kube.node_taints[name] = [{"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}]
    assert "no toleration of the taint node.kubernetes.io/unschedulable=:NoSchedule" in refused(world)[0]


def test_servers_get_the_role_of_the_sources_and_agents_do_not(world: World) -> None:
    needs(world, nodeSelector={"node-role.kubernetes.io/master": "true"})
    assert check(world).findings == ()

    world.platform = platform(targets=[{**target, "role": "agent"} for target in CONFIG["targets"][1:]] + CONFIG["targets"][:1])
    assert check(world).findings == ()
    needs(world, "other", affinity=requires(HOSTNAME, "In", "vm-1"))
    assert "nodeAffinity kubernetes.io/hostname In vm-1" in refused(world)[0]


def test_a_taint_keeps_off_what_does_not_tolerate_it(world: World) -> None:
    world.platform = platform(targets=[{**target, "taints": ["dedicated=db:NoSchedule"]} for target in CONFIG["targets"]])

    lines = refused(world)

    assert [line.partition(":")[0] for line in lines] == [
        "Deployment shop/web", "Pod iottepa/debug-mysql-client", "StatefulSet uap/backup-ctl"
    ]
    assert "phys-1, phys-2, phys-3: no toleration of the taint dedicated=db:NoSchedule" in lines[0]


def test_a_local_volume_stays_where_it_is(world: World) -> None:
    needs(world, volumes=[{"name": "data", "persistentVolumeClaim": {"claimName": "data-db-0"}}])
    terms = [{"matchExpressions": [{"key": HOSTNAME, "operator": "In", "values": ["vm-1"]}]}]
    spec = {"claimRef": {"namespace": "shop", "name": "data-db-0"}, "local": {"path": "/mnt/disks/db"}}
    world.kube.put("PersistentVolume", "-", "pvc-db", spec={**spec, "nodeAffinity": {"required": {"nodeSelectorTerms": terms}}})

    (line,) = refused(world)

    assert line.startswith(
        "StatefulSet shop/db: its pods can't leave their node: phys-1, phys-2, phys-3: PersistentVolume pvc-db wants "
        "kubernetes.io/hostname In vm-1: move its data first"
    )
    assert line.endswith("[volume-stays]")


def test_a_volume_of_any_node_goes_with_its_pod(world: World) -> None:
    needs(world, volumes=[{"name": "data", "persistentVolumeClaim": {"claimName": "data-db-0"}}])
    spec = {"claimRef": {"namespace": "shop", "name": "data-db-0"}, "nfs": {"server": "10.0.0.50"}}
    world.kube.put("PersistentVolume", "-", "pvc-db", spec=spec)

    assert check(world).findings == ()


def test_a_folder_that_must_exist_is_looked_for_on_every_target(world: World) -> None:
    needs(world, volumes=[{"name": "lake", "hostPath": {"path": "/mnt/models", "type": "Directory"}}])
    assert "phys-1, phys-2, phys-3: hostPath /mnt/models does not exist" in refused(world)[0]

    world.hosts["phys-3"].write("/mnt/models/x", "")
    assert [finding.id for finding in check(world).findings] == ["host-data-stays"]


def test_what_a_pod_has_in_a_folder_of_its_node_is_a_warning(world: World) -> None:
    needs(world, volumes=[{"name": "data", "hostPath": {"path": "/data/mysql"}}, {"name": "time", "hostPath": {"path": "/etc/localtime"}}])

    assert [str(finding) for finding in check(world).findings] == [
        "StatefulSet shop/db: its pod mounts /data/mysql of its node; what vm-1 has there is not moved: copy it to the targets, or "
        "mount the same file system there [host-data-stays]"
    ]


def test_a_request_that_is_bigger_than_every_machine_is_refused(world: World) -> None:
    for target in world.platform.targets:
        has_size(world, target.name, cpus=4, gib=8)
    needs(world, **container(resources={"requests": {"memory": "16Gi"}}))

    assert "requests 16384 MiB of memory, has 8192 MiB of memory" in refused(world)[0]


def test_requests_are_added_up(world: World) -> None:
    for target in world.platform.targets:
        has_size(world, target.name, cpus=4, gib=8)
    needs(world, replicas=3, **container(resources={"requests": {"cpu": "2500m"}}))
    assert check(world).findings == ()

    needs(world, "other", **container(resources={"limits": {"cpu": 2}}))
    assert "phys-1, phys-2, phys-3: requests 2 CPUs, has left 1.5 CPUs" in refused(world)[0]


def test_a_machine_that_does_not_say_its_size_is_big_enough(world: World) -> None:
    needs(world, **container(resources={"requests": {"memory": "16Ti"}}))

    assert check(world).findings == ()


@pytest.mark.parametrize("spec", [container(ports=[{"hostPort": 80}]), {"hostNetwork": True, **container(ports=[{"containerPort": 80}])}])
def test_a_host_port_is_on_a_node_once(world: World, spec: dict[str, Any]) -> None:
    needs(world, replicas=3, **spec)
    assert check(world).findings == ()

    needs(world, "other", **spec)
    assert "phys-1, phys-2, phys-3: hostPort 80 is taken" in refused(world)[0]


def test_a_daemon_set_is_on_a_new_node_first(world: World) -> None:
    taking = container(ports=[{"hostPort": 80}])
    needs(world, **taking)
    world.kube.has(FakeWorkload("DaemonSet", "shop", "ingress", 0, spec={**taking, "nodeSelector": {"edge": "1"}}))
    assert check(world).findings == ()

    world.kube.workload_list[-1].spec.pop("nodeSelector")
    assert "phys-1, phys-2, phys-3: hostPort 80 is taken" in refused(world)[0]


def test_replicas_that_must_be_apart_need_as_many_targets(world: World) -> None:
    either = {"key": "app", "operator": "In", "values": ["db", "db-more"]}
    term = {"labelSelector": {"matchExpressions": [either]}, "topologyKey": HOSTNAME}
    apart = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    needs(world, replicas=3, affinity=apart)
    assert check(world).findings == ()

    needs(world, "db-more", affinity=apart)
    (line,) = refused(world)
    assert "not all of its pods would find a node beside the others: phys-1, phys-2, phys-3: podAntiAffinity by" in line
    assert line.endswith("[pod-finds-no-room]")


def test_a_template_with_a_sources_name_is_refused(world: World) -> None:
    needs(world, kind="Deployment", nodeName="vm-1")

    assert [line.partition(": ")[2] for line in refused(world)] == [
        "spec.template.spec.nodeName is vm-1: its pods come back there, also when the node is cordoned: "
        "kubectl edit deployment -n shop db [pod-of-one-node]"
    ]


@pytest.mark.parametrize(("replicas", "final"), [(1, True), (0, False)])
def test_a_template_with_a_sources_name_can_be_accepted_only_while_it_has_no_pods(world: World, replicas: int, final: bool) -> None:
    needs(world, kind="Deployment", nodeName="vm-1", replicas=replicas)

    with pytest.raises(FindingsError) as error:
        check(world)

    assert [finding.final for finding in error.value.findings if finding.id == "pod-of-one-node"] == [final]


def test_a_job_that_begins_anew_is_a_note(world: World) -> None:
    world.kube.has(FakeWorkload("Job", "shop", "import", 1, api="batch/v1"), on="vm-1")

    assert [str(finding) for finding in check(world).findings] == [
        "Job shop/import: its pod on vm-1 is evicted, so its work begins anew elsewhere [job-begins-anew]"
    ]


def test_once_the_sources_are_drained_no_target_is_asked(world: World) -> None:
    world.has_moved()
    for host in world.hosts.values():
        host.down = True

    assert check(world).why == "no pod has to move"
