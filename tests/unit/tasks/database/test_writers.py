"""Writers stop for a restore, and no killed run leaves one at 0 for good."""

import pytest

from blocks.errors import DeadlineExceededError, RefusedError
from configs.database import Writer
from tasks.database.writers import (
    check_writers,
    ensure_quiesced,
    ensure_writer_restored,
    find_workload,
    scaled_writers,
    still_scaled,
)
from tasks.engine.finding import FindingsError
from tasks.engine.outcome import Change, Outcome
from tests.fakes.faults import Killed
from tests.fakes.platform import platform
from tests.fakes.world import World
from tests.unit.tasks.cases import writer

KEY = "writers/Deployment/shop/web"


def quiesce(world: World) -> Outcome:
    return ensure_quiesced.fn(world.run(), writer(world), world.platform, world.kube, world.record)


def restore(world: World) -> Outcome:
    return ensure_writer_restored.fn(world.run(), writer(world), world.platform, world.kube, world.record)


def replicas(world: World) -> int:
    return find_workload(world.kube, writer(world)).desired


def test_a_quiesced_writer_has_no_pod(world: World) -> None:
    quiesce(world)

    assert [pod for pod in world.kube.pods() if pod.name.startswith("web-")] == []


def test_replicas_are_recorded_before_the_writer_is_scaled(world: World) -> None:
    world.life.mutations_left = 2  # the record is the first

    with pytest.raises(Killed):
        quiesce(world)
    assert world.record.read(KEY) == {"replicas": 2, "back": False}


def test_a_run_after_a_kill_remembers_the_first_runs_replicas(world: World) -> None:
    world.life.mutations_left = 2
    with pytest.raises(Killed):
        quiesce(world)

    quiesce(world)
    restore(world)

    assert replicas(world) == 2


def test_a_writer_that_had_no_replicas_keeps_none(world: World) -> None:
    world.kube.scale(find_workload(world.kube, writer(world)), 0)
    for _ in range(5):
        world.kube.pods()

    quiesce(world)
    restore(world)

    assert replicas(world) == 0


def test_a_writer_that_was_restored_is_not_scaled_again(world: World) -> None:
    quiesce(world)
    restore(world)
    world.kube.scale(find_workload(world.kube, writer(world)), 5)

    assert restore(world).change is Change.UNCHANGED
    assert replicas(world) == 5


def test_a_writer_that_was_never_quiesced_is_not_touched(world: World) -> None:
    assert restore(world).change is Change.UNCHANGED
    assert world.mutations == []


def test_a_writer_whose_pods_do_not_go_is_an_error(world: World) -> None:
    world.platform = platform(timeouts={"pod_ready_s": 2})
    world.kube.polls = 1000

    with pytest.raises(DeadlineExceededError, match="Deployment shop/web has no pod: not within 2 s"):
        quiesce(world)


def test_a_writer_that_does_not_exist_is_refused_with_what_to_write(world: World) -> None:
    with pytest.raises(RefusedError, match="there is no StatefulSet shop/db: write what `kubectl get StatefulSet -A`"):
        find_workload(world.kube, Writer(kind="StatefulSet", namespace="shop", name="db"))


def test_writers_that_are_scaled_down_are_known_by_their_recorded_replicas(world: World) -> None:
    assert scaled_writers(world.platform, world.record) == {}
    quiesce(world)

    assert scaled_writers(world.platform, world.record) == {writer(world): 2}
    assert still_scaled(world.kube, world.platform, world.record) == [writer(world)]


def test_a_writer_whose_pods_are_not_ready_yet_is_not_scaled_any_more(world: World) -> None:
    quiesce(world)
    world.kube.scale(find_workload(world.kube, writer(world)), 2)

    assert scaled_writers(world.platform, world.record) == {writer(world): 2}
    assert still_scaled(world.kube, world.platform, world.record) == []


def test_all_writers_that_are_not_there_are_found_together(world: World) -> None:
    missing = [{"namespace": "shop", "name": name} for name in ("gone", "lost")]
    world.platform = platform(rollback={"writers": [{"namespace": "shop", "name": "web"}, *missing]})

    with pytest.raises(FindingsError) as error:
        check_writers.fn(world.run(), world.platform, world.kube)

    assert [line.partition(": write")[0] for line in str(error.value).splitlines()] == [
        "rollback.writers: there is no Deployment shop/gone",
        "rollback.writers: there is no Deployment shop/lost",
    ]


def test_a_writer_whose_pods_do_not_become_ready_again_is_an_error(world: World) -> None:
    world.platform = platform(timeouts={"rollout_s": 5})
    quiesce(world)
    world.kube.never_ready.add("shop/web")

    with pytest.raises(
        DeadlineExceededError,
        match=r"^Deployment shop/web has 2 Ready replicas: not within 5 s: it has 0: kubectl get pods -n shop .*\[replicas-not-restored\]$",
    ):
        restore(world)
