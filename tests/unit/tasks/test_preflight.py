"""What may refuse before anything is touched."""

import pytest
from pydantic import SecretStr

from configs.errors import EtcdUnavailableError, RefusedError
from tasks.engine.outcome import Outcome
from tasks.etcd.checks import check_etcd
from tasks.k3s.nodes import check_cluster
from tasks.vip.checks import check_vip
from tests.fakes.platform import WISH, platform
from tests.fakes.workload import FakeWorkload
from tests.fakes.world import World


def ask_etcd(world: World) -> Outcome:
    return check_etcd.fn(world.run(), world.platform, world.etcd)


def test_a_silent_voter_is_refused(world: World) -> None:
    world.etcd.down = {"vm-2"}

    with pytest.raises(RefusedError, match="voters vm-2 do not answer: 1 of 2 are up"):
        ask_etcd(world)


def test_members_that_disagree_are_asked_again_later(world: World) -> None:
    world.etcd.stale["vm-2"] = []

    with pytest.raises(EtcdUnavailableError, match="members disagree"):
        ask_etcd(world)


def test_a_member_that_nobody_knows_is_refused(world: World) -> None:
    world.etcd.joined("stranger", "10.0.0.77")

    with pytest.raises(RefusedError, match="members stranger are neither sources nor targets"):
        ask_etcd(world)


@pytest.mark.parametrize(
    ("version", "notes"),
    [("3.5.0", 0), ("3.5.1", 1), ("3.5.19", 1), ("3.5.20", 0), ("3.5.21", 0), ("3.6.1", 0), ("3.5.4-rc.0", 0)],
)
def test_versions_that_forget_a_promotion_are_told(world: World, version: str, notes: int) -> None:
    world.etcd.versions = {"vm-1": version, "vm-2": version}

    assert len(ask_etcd(world).notes) == notes


def test_mixed_versions_are_told(world: World) -> None:
    world.etcd.versions = {"vm-1": "3.5.30"}

    assert ask_etcd(world).notes == ("mixed versions: 3.5.21, 3.5.30",)


def ask_cluster(world: World) -> Outcome:
    return check_cluster.fn(world.run(), world.platform, world.kube)


def test_a_node_name_that_another_address_has_is_refused(world: World) -> None:
    world.kube.joins("phys-1", "10.0.0.99", server=False)

    with pytest.raises(
        RefusedError, match=r"nodes phys-1 at 10.0.0.99 have names that the config gives to other addresses"
    ):
        ask_cluster(world)


def test_a_dead_source_is_refused(world: World) -> None:
    world.kube.stops("vm-2")

    with pytest.raises(RefusedError, match="nodes vm-2 are not Ready"):
        ask_cluster(world)


def test_a_dead_source_that_is_on_its_way_out_is_not(world: World) -> None:
    world.has_moved()
    world.kube.stops("vm-2")

    assert "all workloads complete" in ask_cluster(world).why


def test_workloads_that_are_not_complete_before_the_move_are_refused_with_reasons(world: World) -> None:
    world.platform = platform(timeouts={"pod_ready_s": 5})
    world.kube.has(FakeWorkload("Deployment", "shop", "broken", 0))
    world.kube.workload_list[-1].replicas = 1
    world.kube.polls = 1000

    with pytest.raises(RefusedError, match=r"not complete before the move.*Deployment shop/broken: 0 of 1 ready"):
        ask_cluster(world)


def ask_vip(world: World, password: str = "s3cret") -> Outcome:
    return check_vip.fn(world.run(), world.platform, world.hosts, SecretStr(password), world.kube)


def test_a_vip_that_nobody_holds_is_refused(world: World) -> None:
    world.hosts["vm-1"].tell("addresses", "eth0 10.0.0.11/24")

    with pytest.raises(RefusedError, match=r"10.0.0.100 is held by none of the machines"):
        ask_vip(world)


def test_a_vip_that_two_hold_is_refused(world: World) -> None:
    world.hosts["vm-2"].tell("addresses", "eth0 10.0.0.12/24\neth0 10.0.0.100/24")

    with pytest.raises(RefusedError, match="is held by vm-1, vm-2, it must be exactly one"):
        ask_vip(world)


def test_another_prefix_than_the_holders_is_noted(world: World) -> None:
    world.platform = platform(keepalived={**WISH["keepalived"], "prefix_length": 32})

    assert ask_vip(world).notes == ("the holder has the VIP as /24, targets will as /32: see keepalived.prefix_length",)


def test_an_address_that_begins_like_the_vip_is_not_the_vip(world: World) -> None:
    world.hosts["vm-2"].tell("addresses", "eth0 110.0.0.100/24\neth0 10.0.0.1001/24")

    assert ask_vip(world).why == "held by vm-1, the API answers there"


def test_a_password_that_is_not_the_holders_is_refused_and_not_told(world: World) -> None:
    with pytest.raises(RefusedError, match=r"vm-1: keepalived.auth_pass: .* is not its password") as refused:
        ask_vip(world, "wr0ng")
    assert "wr0ng" not in str(refused.value)
    assert "s3cret" not in str(refused.value)


def test_an_api_that_does_not_answer_at_the_vip_is_refused(world: World) -> None:
    world.kube.api_servers["10.0.0.11"] = False

    with pytest.raises(RefusedError, match=r"add --tls-san=10.0.0.100 to the servers"):
        ask_vip(world)


@pytest.mark.parametrize(
    "complaint",
    [
        "(VI_1) received an invalid passwd!",
        "(VI_1) ip address associated with VRID 51 not present in MASTER advert : 10.0.0.100",
        "(VI_1) Received advert from 10.0.0.9 with lower priority 10, ours 100, forcing new election",
    ],
)
def test_a_foreign_router_with_our_vrid_is_refused(world: World, complaint: str) -> None:
    world.hosts["vm-1"].tell("journal", f"Starting VRRP\n{complaint}")

    with pytest.raises(RefusedError, match=r"vm-1: another router on this network uses VRID 51: .*tcpdump -ni eth0 vrrp"):
        ask_vip(world)


def test_what_keepalived_says_of_itself_is_no_foreign_router(world: World) -> None:
    world.hosts["vm-1"].tell("journal", "(VI_1) Entering MASTER STATE\n(VI_1) removing VIPs.")

    assert ask_vip(world).why == "held by vm-1, the API answers there"
