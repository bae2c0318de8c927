"""Walls between machines are found before anything is touched."""

import pytest

from blocks.errors import DeadlineExceededError, RefusedError
from configs.hosts import Machine
from tasks.engine.outcome import Outcome
from tasks.machine.routes import check_routes, needed_doors
from tests.fakes.platform import CONFIG, platform
from tests.fakes.world import World


def named(world: World, name: str) -> Machine:
    return next(machine for machine in world.platform.machines if machine.name == name)


def check(world: World, name: str) -> Outcome:
    return check_routes.fn(world.run(), world.hosts[name], world.platform, named(world, name), world.platform.machines)


def doors(world: World, name: str) -> list[tuple[str, int]]:
    return [(m.name, port) for m, port in needed_doors(world.platform, named(world, name), world.platform.machines)]


def test_where_nothing_listens_the_way_is_free(world: World) -> None:
    assert check(world, "phys-1").why == "reaches 11 doors of 4 machines"


@pytest.mark.parametrize("said", ["silent", "No route to host", "Network is unreachable"])
def test_a_wall_is_refused_with_its_door(world: World, said: str) -> None:
    world.hosts["phys-1"].tell("walls", f"10.0.0.12 2380 {said}\n10.0.0.9 2380 silent")

    with pytest.raises(RefusedError) as refused:
        check(world, "phys-1")
    assert str(refused.value) == (
        f"phys-1: it does not reach vm-2 at port 2380 ({said}): let TCP through (firewalls, security groups, routes), "
        "then run again"
    )


def test_walls_of_one_kind_are_told_together(world: World) -> None:
    world.hosts["phys-1"].tell("walls", "10.0.0.12 2380 silent\n10.0.0.11 2380 silent\n10.0.0.11 10443 No route to host")

    with pytest.raises(RefusedError, match=r"reach vm-1 at port 10443 \(No route to host\); vm-1, vm-2 at port 2380 \(silent\): let"):
        check(world, "phys-1")


def test_a_machine_that_does_not_answer_itself_is_no_wall(world: World) -> None:
    world.hosts["phys-1"].down = True

    with pytest.raises(DeadlineExceededError, match="phys-1: knocking at the others: SSH broke"):
        check(world, "phys-1")


def test_a_machine_that_comes_up_meanwhile_is_waited_for(world: World) -> None:
    host = world.hosts["phys-1"]
    host.tell("walls", "10.0.0.12 2380 No route to host")
    world.time.later(5, lambda: host.tell("walls", ""))

    assert "reaches" in check(world, "phys-1").why


def test_sources_are_not_asked_about_each_other(world: World) -> None:
    assert {name for name, _ in doors(world, "vm-1")} == {"phys-1", "phys-2", "phys-3"}


def test_an_agent_that_is_no_member_needs_servers_only(world: World) -> None:
    phys_1, phys_2, phys_3 = CONFIG["targets"]
    world.platform = platform(targets=[phys_1, phys_2, {**phys_3, "etcd": False}])

    assert doors(world, "phys-3") == [(name, 10443) for name in ("vm-1", "vm-2", "phys-1", "phys-2")]
    assert ("phys-3", 2380) not in doors(world, "phys-1")


def test_a_server_needs_members_as_clients_do(world: World) -> None:
    assert [port for name, port in doors(world, "phys-1") if name == "vm-1"] == [2380, 2379, 10443]
    assert [port for name, port in doors(world, "phys-3") if name == "vm-1"] == [2380, 10443]
