"""Whether workloads are complete, before the move and after it, and why one is not."""

import pytest

from blocks.errors import KubeUnavailableError
from tasks.engine.finding import FindingsError
from tasks.engine.outcome import Outcome
from tasks.images.record import ensure_new_images_recorded
from tasks.workloads.owners import READY, ensure_ready_recorded, lacking
from tasks.workloads.readiness import check_workloads, verify_workloads
from tests.fakes.platform import platform
from tests.fakes.workload import FakeWorkload
from tests.fakes.world import World


def check(world: World) -> Outcome:
    return check_workloads.fn(world.run(), world.platform, world.kube, world.record)


def verify(world: World) -> Outcome:
    return verify_workloads.fn(world.run(), world.platform, world.kube, world.record)


def lacks_a_replica(world: World, name: str) -> None:
    world.kube.never_ready.add(f"shop/{name}-")
    world.kube.has(FakeWorkload("Deployment", "shop", name, 0))
    world.kube.workload_list[-1].replicas = 1


def record_ready(world: World) -> None:
    ensure_ready_recorded.fn(world.run(), world.platform, world.kube, world.record)


def record_images(world: World) -> None:
    ensure_new_images_recorded.fn(world.run(), world.platform, world.kube, world.record)


def test_complete_workloads_are_not_listed(world: World) -> None:
    assert lacking(world.platform, world.kube) == []


def test_a_workload_that_lacks_replicas_is_listed_with_its_pods_reasons(world: World) -> None:
    for node in list(world.kube.node_map):
        world.kube.set_unschedulable(node, True)
    world.kube.has(FakeWorkload("Deployment", "shop", "late", 0))
    world.kube.workload_list[-1].replicas = 1

    (late,) = map(str, lacking(world.platform, world.kube))

    assert late.startswith("Deployment shop/late: 0 of 1 ready; shop/late-")
    assert late.endswith(": 0 nodes are available")


def test_a_daemon_set_is_not_missed_on_a_node_that_has_stopped(world: World) -> None:
    world.kube.stops("vm-2")

    assert lacking(world.platform, world.kube) == []


def test_complete_workloads_are_counted(world: World) -> None:
    outcome = check(world)

    assert (outcome.why, outcome.findings) == ("3 workloads, 0 incomplete", ())


def test_a_workload_that_becomes_complete_in_time_is_waited_for(world: World) -> None:
    world.kube.has(FakeWorkload("Deployment", "shop", "late", 0))
    world.kube.workload_list[-1].replicas = 1

    assert check(world).why == "4 workloads, 0 incomplete"


def test_what_is_broken_before_the_move_is_a_warning(world: World) -> None:
    world.platform = platform(timeouts={"pod_ready_s": 5})
    lacks_a_replica(world, "broken")

    outcome = check(world)

    assert outcome.why == "4 workloads, 1 incomplete"
    assert [str(finding) for finding in outcome.findings] == [
        "Deployment shop/broken: 0 of 1 ready; after the move it has to have no more than that: kubectl describe deployment -n shop "
        "broken; list it in ignore_workloads if nothing shall wait for it [workload-broken-before]"
    ]


def test_what_was_broken_before_need_not_heal_and_what_was_not_must_come_back(world: World) -> None:
    world.platform = platform(timeouts={"pod_ready_s": 5})
    lacks_a_replica(world, "broken")
    record_ready(world)
    assert check(world).findings == ()

    lacks_a_replica(world, "torn")
    with pytest.raises(FindingsError) as refused:
        check(world)
    assert str(refused.value) == (
        "Deployment shop/torn: 0 of 1 ready: kubectl describe deployment -n shop torn; list it in ignore_workloads if it need not heal "
        "[workload-incomplete]"
    )


def test_a_workload_that_had_some_replicas_must_have_them_again(world: World) -> None:
    world.record.write(READY, {"broken": {"Deployment shop/web": 1}, "others": {}})
    world.platform = platform(timeouts={"pod_ready_s": 5})
    world.kube.workload_list[0].replicas = 3
    world.kube.never_ready = {"shop/web-"}

    assert lacking(world.platform, world.kube, world.record) == []
    for pod in world.kube.pods("vm-1"):
        world.kube.evict(pod)
    for _ in range(5):
        world.kube.pods()
    assert [one.owner for one in lacking(world.platform, world.kube, world.record)] == ["Deployment shop/web"]


def test_an_ignored_workload_is_not_waited_for(world: World) -> None:
    world.platform = platform(ignore_workloads=["Deployment shop/broken"])
    lacks_a_replica(world, "broken")
    begun = world.time.now()

    assert (check(world).why, world.time.now()) == ("4 workloads, 0 incomplete", begun)


@pytest.mark.parametrize(
    ("kind", "api", "owner"),
    [
        ("CloneSet", "apps.kruise.io/v1alpha1", "CloneSet.apps.kruise.io shop/tikv"),
        ("StatefulSet", "apps.pingcap.com/v1", "StatefulSet.apps.pingcap.com shop/tikv"),
        ("ReplicaSet", "apps/v1", "ReplicaSet shop/tikv"),
    ],
)
def test_pods_of_any_controller_are_awaited(world: World, kind: str, api: str, owner: str) -> None:
    world.kube.has(FakeWorkload(kind, "shop", "tikv", 2, api=api), on="vm-1")
    record_ready(world)
    assert lacking(world.platform, world.kube, world.record) == []

    world.kube.never_ready = {"shop/tikv-"}
    world.kube.evict(next(pod for pod in world.kube.pods() if pod.name.startswith("tikv")))
    for _ in range(5):
        world.kube.pods()

    (one,) = lacking(world.platform, world.kube, world.record)
    assert (one.owner, one.ready, one.expected) == (owner, 1, 2)


def test_pods_that_their_controller_does_not_make_anew_are_missed(world: World) -> None:
    world.record.write(READY, {"broken": {}, "others": {"CloneSet.apps.kruise.io shop/gone": 2}})

    assert list(map(str, lacking(world.platform, world.kube, world.record))) == ["CloneSet.apps.kruise.io shop/gone: 0 of 2 ready"]


def test_a_job_ends_by_itself(world: World) -> None:
    world.kube.has(FakeWorkload("Job", "shop", "import", 1, api="batch/v1"), on="vm-1")
    record_ready(world)

    assert (world.record.read(READY) or {})["others"] == {}


def test_an_api_that_stays_away_is_no_answer_about_workloads(world: World) -> None:
    world.platform = platform(timeouts={"pod_ready_s": 5})
    world.kube.fail("workloads", KubeUnavailableError("no API server answered"), times=1000)

    with pytest.raises(KubeUnavailableError):
        check(world)


def test_a_workload_that_is_gone_after_the_move_is_refused(world: World) -> None:
    record_images(world)
    world.kube.workload_list.pop(0)

    with pytest.raises(
        FindingsError, match=r"^Deployment shop/web: was recorded before the move, .* \[workload-missing\]$"
    ):
        verify(world)


def test_other_images_than_before_are_a_note(world: World) -> None:
    record_images(world)
    world.kube.workload_list[0].images = {"main": "app/web:3.0"}

    assert [str(finding) for finding in verify(world).findings] == [
        "Deployment shop/web: images are main=app/web:3.0, recorded before the move: main=app/web:2.0 "
        "[workload-images-changed]"
    ]


def test_a_workload_that_lacks_replicas_after_the_move_is_refused_beside_one_that_is_gone(world: World) -> None:
    record_images(world)
    world.platform = platform(timeouts={"pod_ready_s": 5})
    world.kube.polls = 1000
    world.kube.workload_list[0] = FakeWorkload("Deployment", "shop", "web", 3)
    del world.kube.workload_list[1]

    with pytest.raises(FindingsError) as refused:
        verify(world)
    assert [(finding.id, finding.where) for finding in refused.value.findings] == [
        ("workload-incomplete", "Deployment shop/web"),
        ("workload-missing", "StatefulSet uap/backup-ctl"),
    ]
    assert "Deployment shop/web: 2 of 3 ready" in str(refused.value)
