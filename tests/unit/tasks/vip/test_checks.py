"""Whether the VIP can move, and whether it has."""

import pytest
from pydantic import SecretStr

from blocks.errors import RefusedError
from tasks.engine.outcome import Outcome
from tasks.vip.checks import check_vip
from tests.fakes.platform import CONFIG, platform
from tests.fakes.world import World


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
    world.platform = platform(keepalived={**CONFIG["keepalived"], "prefix_length": 32})

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
