"""The guard: which machines belong to the live platform is known from itself."""

from dataclasses import replace

import pytest

from tasks.machine.facts import HostFacts, read_host_facts
from tasks.machine.live import LivePlatform
from tests.fakes import machines
from tests.fakes.host import FakeHost
from tests.fakes.world import World

LIVE = LivePlatform(frozenset({"10.0.0.11"}), frozenset({"10.0.0.12"}), "ab" * 32, 16684)


@pytest.fixture
def facts(world: World) -> HostFacts:
    return read_host_facts(world.hosts["phys-1"], world.platform)


def why(host: FakeHost, facts: HostFacts) -> str | None:
    return LIVE.why_live(host, facts)


def test_a_target_with_an_old_platform_is_not_live(world: World, facts: HostFacts) -> None:
    assert why(world.hosts["phys-1"], facts) is None


def test_a_member_and_a_node_are_live(world: World, facts: HostFacts) -> None:
    assert why(world.hosts["vm-1"], facts) == "a member of its etcd"
    assert why(world.hosts["vm-2"], facts) == "a node of its cluster"


@pytest.mark.parametrize(("address", "what"), [("10.0.0.11", "a member of its etcd"), ("10.0.0.12", "a node of its cluster")])
def test_a_machine_that_the_platform_knows_by_another_of_its_addresses_is_live(
    world: World, facts: HostFacts, address: str, what: str
) -> None:
    two = replace(facts, addresses=("127.0.0.1", "10.0.0.21", address))

    assert why(world.hosts["phys-1"], two) == f"{what}, as {address}"


def test_a_loopback_address_makes_no_machine_live(world: World, facts: HostFacts) -> None:
    live = replace(LIVE, etcd_addresses=frozenset({"127.0.0.1"}))

    assert live.why_live(world.hosts["phys-1"], facts) is None


def test_a_machine_with_the_clusters_ca_on_its_disk_is_live(world: World, facts: HostFacts) -> None:
    both = replace(facts, k3s_cas=frozenset({"cd" * 32, "ab" * 32}))

    assert why(world.hosts["phys-1"], both) == "its k3s has the live cluster's CA"


def test_a_machine_whose_own_etcd_is_of_the_live_cluster_is_live(world: World, facts: HostFacts) -> None:
    assert why(world.hosts["phys-1"], replace(facts, etcd_cluster="16684")) == (
        "the etcd that answers there has its cluster id"
    )


def test_a_machine_that_has_only_a_token_of_the_live_cluster_is_not_live(world: World) -> None:
    host = world.hosts["phys-1"]
    host.write("/etc/systemd/system/k3s.service.env", f"K3S_TOKEN='{machines.token(machines.LIVE_CA)}'\n")

    assert world.live.why_live(host, read_host_facts(host, world.platform)) is None


def test_members_and_nodes_are_read_from_the_world(world: World) -> None:
    world.etcd.begun("10.0.0.21")
    world.kube.joins("phys-2", "10.0.0.22", server=True)

    assert world.live.etcd_addresses == {"10.0.0.11", "10.0.0.12", "10.0.0.21"}
    assert world.live.etcd_cluster_id == world.etcd.cluster_id()
    assert world.live.node_addresses == {"10.0.0.11", "10.0.0.12", "10.0.0.22"}
