"""What runs is recorded before anything is uninstalled."""

import json

from tasks.engine.outcome import Change, Outcome
from tasks.images.record import NEW, OLD, ensure_new_images_recorded, ensure_old_images_recorded, parse_old_images
from tests.fakes.machines import OLD_WORKLOADS
from tests.fakes.world import World


def record_old(world: World, name: str = "phys-1") -> Outcome:
    return ensure_old_images_recorded.fn(world.run(), world.hosts[name], world.platform, world.record)


def test_new_images_are_recorded_once_as_they_were_before_the_move(world: World) -> None:
    ensure_new_images_recorded.fn(world.run(), world.platform, world.kube, world.record)
    world.kube.workload_list[0].images = {"main": "app/web:3.0"}
    ensure_new_images_recorded.fn(world.run(), world.platform, world.kube, world.record)

    kept = world.record.read(NEW)
    assert kept is not None
    assert kept["workloads"]["Deployment shop/web"] == {"main": "app/web:2.0"}
    assert kept["digests"] == {"app/web:2.0": "sha256:app/web:2.0"}


def test_an_old_servers_workloads_images_and_digests_are_recorded(world: World) -> None:
    record_old(world)

    assert world.record.read(f"{OLD}/phys-1") == {
        "workloads": {"Deployment shop/web": {"main": "app/web:1.0"}},
        "running": ["app/web:1.0"],
        "digests": {"app/web:1.0": "sha256:1"},
    }


def test_a_machine_without_an_old_platform_is_recorded_as_such(world: World) -> None:
    world.hosts["phys-1"].path("/usr/local/bin/k3s").unlink()
    world.hosts["phys-1"].unit("docker", "inactive")

    assert record_old(world).why == "recorded: 0 images run here, 0 workloads known"


def test_what_was_recorded_before_the_uninstall_is_not_written_over_after_it(world: World) -> None:
    record_old(world)
    world.hosts["phys-1"].tell("containers", "")

    assert record_old(world).change is Change.UNCHANGED
    kept = world.record.read(f"{OLD}/phys-1")
    assert kept is not None
    assert kept["running"] == ["app/web:1.0"]


def test_an_agent_knows_only_what_runs() -> None:
    said = {
        "workloads": "",
        "running": "app/a:1\napp/b:1\napp/a:1",
        "digests": "app/a:1 sha256:1\n<none>:<none> sha256:9",
    }

    found = parse_old_images(said)

    assert (found["workloads"], found["running"]) == ({}, ["app/a:1", "app/b:1"])
    assert found["digests"]["app/a:1"] == "sha256:1"


def test_a_server_knows_each_containers_image() -> None:
    found = parse_old_images({"workloads": json.dumps(OLD_WORKLOADS), "running": "", "digests": ""})

    assert found["workloads"] == {"Deployment shop/web": {"main": "app/web:1.0"}}
