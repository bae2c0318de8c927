"""The guard: which machines belong to the live platform is known from itself."""

from dataclasses import replace

import pytest

from tasks.machine.facts import HostFacts, read_host_facts
from tasks.machine.live import LivePlatform
from tests.fakes.host import FakeHost
from tests.fakes.world import World

LIVE = LivePlatform(frozenset({"10.0.0.11"}), frozenset({"10.0.0.12"}), "ab" * 32)


@pytest.fixture
def facts(world: World) -> HostFacts:
    return read_host_facts(world.hosts["phys-1"], world.platform)


def why(host: FakeHost, facts: HostFacts) -> str | None:
    return LIVE.why_live(host, facts)


def test_a_target_with_an_old_platform_is_not_live(world: World, facts: HostFacts) -> None:
    assert why(world.hosts["phys-1"], facts) is None


def test_a_member_a_node_and_a_machine_with_its_token_are_live(world: World, facts: HostFacts) -> None:
    assert why(world.hosts["vm-1"], facts) == "a member of its etcd"
    assert why(world.hosts["vm-2"], facts) == "a node of its cluster"
    assert why(world.hosts["phys-1"], replace(facts, k3s_ca="ab" * 32)) == "its k3s has the live cluster's token"


def test_a_machine_without_any_token_is_not_live(world: World, facts: HostFacts) -> None:
    assert why(world.hosts["phys-1"], replace(facts, k3s_ca="")) is None


def test_members_and_nodes_are_read_from_the_world(world: World) -> None:
    world.etcd.begun("10.0.0.21")
    world.kube.joins("phys-2", "10.0.0.22", server=True)

    assert world.live.etcd_addresses == {"10.0.0.11", "10.0.0.12", "10.0.0.21"}
    assert world.live.node_addresses == {"10.0.0.11", "10.0.0.12", "10.0.0.22"}
