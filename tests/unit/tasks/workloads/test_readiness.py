"""Whether workloads are complete, before the move and after it, and why one is not."""

import pytest

from blocks.errors import KubeUnavailableError
from tasks.engine.finding import FindingsError
from tasks.engine.outcome import Outcome
from tasks.images.record import ensure_new_images_recorded
from tasks.workloads.readiness import check_workloads, unready, verify_workloads
from tests.fakes.platform import platform
from tests.fakes.workload import FakeWorkload
from tests.fakes.world import World

ACCEPTED = {"id": "workload-incomplete", "where": "Deployment shop/broken", "reason": "broken since May"}


def check(world: World) -> Outcome:
    return check_workloads.fn(world.run(), world.platform, world.kube)


def verify(world: World) -> Outcome:
    return verify_workloads.fn(world.run(), world.platform, world.kube, world.record)


def lacks_a_replica(world: World, name: str) -> None:
    world.kube.never_ready.add(f"shop/{name}-")
    world.kube.has(FakeWorkload("Deployment", "shop", name, 0))
    world.kube.workload_list[-1].replicas = 1


def record_images(world: World) -> None:
    ensure_new_images_recorded.fn(world.run(), world.platform, world.kube, world.record)


def test_complete_workloads_are_not_listed(world: World) -> None:
    assert unready(world.kube) == []


def test_a_workload_that_lacks_replicas_is_listed_with_its_pods_reasons(world: World) -> None:
    for node in list(world.kube.node_map):
        world.kube.set_unschedulable(node, True)
    world.kube.has(FakeWorkload("Deployment", "shop", "late", 0))
    world.kube.workload_list[-1].replicas = 1

    (lacking,) = map(str, unready(world.kube))

    assert lacking.startswith("Deployment shop/late: 0 of 1 ready; shop/late-")
    assert lacking.endswith(": 0 nodes are available")


def test_a_daemon_set_is_not_missed_on_a_node_that_has_stopped(world: World) -> None:
    world.kube.stops("vm-2")

    assert unready(world.kube) == []


def test_complete_workloads_are_counted(world: World) -> None:
    outcome = check(world)

    assert (outcome.why, outcome.findings) == ("3 of 3 workloads are complete", ())


def test_a_workload_that_becomes_complete_in_time_is_waited_for(world: World) -> None:
    world.kube.has(FakeWorkload("Deployment", "shop", "late", 0))
    world.kube.workload_list[-1].replicas = 1

    assert check(world).why == "4 of 4 workloads are complete"


def test_every_workload_that_is_incomplete_before_the_move_is_a_refusal_of_its_own(world: World) -> None:
    world.platform = platform(timeouts={"pod_ready_s": 5})
    lacks_a_replica(world, "broken")
    lacks_a_replica(world, "torn")

    with pytest.raises(FindingsError) as refused:
        check(world)
    assert str(refused.value).splitlines() == [
        f"Deployment shop/{name}: 0 of 1 ready: kubectl describe deployment -n shop {name} [workload-incomplete]"
        for name in ("broken", "torn")
    ]


def test_a_refused_workload_is_reported_with_its_pods_reasons(world: World) -> None:
    world.platform = platform(timeouts={"pod_ready_s": 5})
    for node in list(world.kube.node_map):
        world.kube.set_unschedulable(node, True)
    lacks_a_replica(world, "late")

    with pytest.raises(
        FindingsError, match=r"^Deployment shop/late: 0 of 1 ready; shop/late-\d+: 0 nodes are available: kubectl"
    ):
        check(world)


def test_an_accepted_workload_is_reported_and_not_waited_for(world: World) -> None:
    world.platform = platform(accepted=[ACCEPTED])
    lacks_a_replica(world, "broken")
    begun = world.time.now()

    outcome = check(world)

    assert world.time.now() == begun
    assert outcome.why == "3 of 4 workloads are complete"
    assert [finding.accepted for finding in outcome.findings] == ["broken since May"]


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
