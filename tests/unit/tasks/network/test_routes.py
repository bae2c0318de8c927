"""Ports that a firewall closes between machines are found before anything is changed."""

from collections import Counter

import pytest

from blocks.errors import DeadlineExceededError
from configs.hosts import Machine
from tasks.engine.finding import FindingsError
from tasks.engine.outcome import Outcome
from tasks.network.routes import TRIES, check_routes, needed_endpoints
from tests.fakes.platform import CONFIG, platform
from tests.fakes.world import World


def named(world: World, name: str) -> Machine:
    return next(machine for machine in world.platform.machines if machine.name == name)


def check(world: World, name: str) -> Outcome:
    return check_routes.fn(world.run(), world.hosts[name], world.platform, named(world, name), world.platform.machines)


def endpoints(world: World, name: str) -> list[tuple[str, int]]:
    machine, machines = named(world, name), world.platform.machines
    return [(other.name, port) for other, port in needed_endpoints(world.platform, machine, machines)]


def test_a_port_that_refuses_connections_is_reachable(world: World) -> None:
    assert check(world, "phys-1").why == "reaches 11 ports of 4 machines"


def test_a_port_that_does_not_answer_is_refused_with_its_firewall(world: World) -> None:
    world.hosts["phys-1"].tell("unreachable", "10.0.0.12 2380 silent\n10.0.0.9 2380 silent")

    with pytest.raises(FindingsError) as refused:
        check(world, "phys-1")
    assert str(refused.value) == (
        "phys-1: no answer from TCP port 2380 of vm-2 within 3 s: let TCP 2380 through the firewalls and security groups "
        "in between, then run the same command again [port-silent]"
    )


def test_a_target_whose_firewall_opens_later_is_tried_again_then(world: World) -> None:
    world.hosts["vm-1"].tell("unreachable", "10.0.0.21 2380 No route to host\n10.0.0.22 2380 No route to host")
    host, machine, machines = world.hosts["vm-1"], named(world, "vm-1"), world.platform.machines

    outcome = check_routes.fn(world.run(), host, world.platform, machine, machines, {"phys-1", "phys-2"})
    assert [(finding.id, finding.what) for finding in outcome.findings] == [
        ("firewall-opens-later", "TCP port 2380 of phys-1, phys-2 is tried again once their firewall is open")
    ]
    with pytest.raises(FindingsError, match="can't reach TCP port 2380 of phys-2: No route to host"):
        check_routes.fn(world.run(), host, world.platform, machine, machines, {"phys-1"})


@pytest.mark.parametrize("error", ["No route to host", "Network is unreachable"])
def test_a_port_that_is_rejected_is_refused_with_the_error(world: World, error: str) -> None:
    world.hosts["phys-1"].tell("unreachable", f"10.0.0.12 2380 {error}")

    with pytest.raises(FindingsError) as refused:
        check(world, "phys-1")
    assert str(refused.value) == (
        f"phys-1: can't reach TCP port 2380 of vm-2: {error}: add a route, or let TCP 2380 through a firewall that rejects it, "
        "then run the same command again [port-unreachable]"
    )


def test_machines_with_the_same_port_and_error_are_one_finding(world: World) -> None:
    world.hosts["phys-1"].tell(
        "unreachable", "10.0.0.12 2380 silent\n10.0.0.11 2380 silent\n10.0.0.11 10443 No route to host"
    )

    with pytest.raises(FindingsError) as refused:
        check(world, "phys-1")
    assert [(finding.id, finding.what) for finding in refused.value.findings] == [
        ("port-unreachable", "can't reach TCP port 10443 of vm-1: No route to host"),
        ("port-silent", "no answer from TCP port 2380 of vm-1, vm-2 within 3 s"),
    ]


def test_a_machine_that_is_unreachable_itself_is_not_reported_as_a_firewall(world: World) -> None:
    world.hosts["phys-1"].down = True

    with pytest.raises(DeadlineExceededError, match="phys-1: connecting to the others: SSH broke") as silent:
        check(world, "phys-1")
    assert silent.value.id == "host-unreachable"


def test_a_machine_that_comes_up_meanwhile_is_waited_for(world: World) -> None:
    host = world.hosts["phys-1"]
    host.tell("unreachable", "10.0.0.12 2380 No route to host")
    world.time.later(5, lambda: host.tell("unreachable", ""))

    assert "reaches" in check(world, "phys-1").why


def test_sources_are_not_asked_about_each_other(world: World) -> None:
    assert {name for name, _ in endpoints(world, "vm-1")} == {"phys-1", "phys-2", "phys-3"}


def test_an_agent_that_is_no_member_needs_servers_only(world: World) -> None:
    phys_1, phys_2, phys_3 = CONFIG["targets"]
    world.platform = platform(targets=[phys_1, phys_2, {**phys_3, "etcd": False}])

    assert endpoints(world, "phys-3") == [(name, 10443) for name in ("vm-1", "vm-2", "phys-1", "phys-2")]
    assert ("phys-3", 2380) not in endpoints(world, "phys-1")


def test_a_server_needs_members_as_clients_do(world: World) -> None:
    assert [port for name, port in endpoints(world, "phys-1") if name == "vm-1"] == [2380, 2379, 10443]
    assert [port for name, port in endpoints(world, "phys-3") if name == "vm-1"] == [2380, 10443]


def test_a_port_of_many_machines_is_tried_by_some_of_the_others_whichever_it_is(world: World) -> None:
    targets = [{"name": f"phys-{number}", "address": f"10.0.1.{number}", "role": "agent"} for number in range(1, 60)]
    world.platform = platform(targets=[{**targets[0], "role": "server"}, *targets[1:]], keepalived={**CONFIG["keepalived"], "holders": 1})

    tried = [(name, port) for machine in world.platform.machines for name, port in endpoints(world, machine.name)]

    peers, servers = (Counter(name for name, port in tried if port == which) for which in (2380, 10443))
    assert set(peers) == {machine.name for machine in world.platform.machines}
    assert min(peers.values()) >= TRIES - 2, "the two sources do not try each other"
    assert sum(peers.values()) <= TRIES * len(peers), "not as often as there are pairs"
    assert servers["phys-1"] == len(peers) - 1, "few machines are tried by all"
