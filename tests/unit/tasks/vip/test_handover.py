"""The VIP is on exactly one machine before and after it is handed over."""

import pytest

from blocks.errors import DeadlineExceededError, RefusedError, VerificationError
from tasks.engine.outcome import Change, Outcome
from tasks.vip.handover import ensure_keepalived_stopped
from tests.fakes import machines
from tests.fakes.platform import platform
from tests.fakes.world import World
from tests.unit.tasks.cases import standing_by

CONF = "/etc/keepalived/keepalived.conf"


def hand_over(world: World, source: str = "vm-1") -> Outcome:
    return ensure_keepalived_stopped.fn(world.run(), world.hosts[source], world.platform, world.hosts, world.kube)


def test_the_vip_goes_to_the_target_of_the_highest_priority(world: World) -> None:
    standing_by(world)
    machines.run_keepalived(world.hosts["phys-2"], priority=240)
    world.hosts["vm-2"].unit("keepalived", "inactive", "disabled")

    assert hand_over(world).why == "the VIP is on phys-1"
    assert world.vip_on == ["phys-1"]


def test_an_address_that_does_not_come_with_the_vip_is_an_error(world: World) -> None:
    standing_by(world)
    host = world.hosts["phys-1"]
    host.write(CONF, host.read(CONF).replace("10.0.0.100/24", "10.0.0.100/24\n10.0.0.101/24"))

    with pytest.raises(VerificationError, match=r"phys-1: 10.0.0.101 did not come with the VIP: ") as missing:
        hand_over(world)
    assert missing.value.id == "vip-address-missing"


def test_a_source_that_only_waits_leaves_without_moving_the_vip(world: World) -> None:
    standing_by(world)

    assert hand_over(world, "vm-2").why == "keepalived is off and disabled"
    assert world.vip_on == ["vm-1"]


def test_a_vip_without_a_successor_stays(world: World) -> None:
    with pytest.raises(
        RefusedError, match=r"vm-1: .*no target could take it: phys-1: keepalived does not run, or is not enabled; phys-2: .*; journalctl"
    ) as refused:
        hand_over(world)
    assert refused.value.id == "vip-no-successor"
    assert world.mutations == []


def test_a_standby_in_fault_is_no_successor(world: World) -> None:
    standing_by(world)
    world.hosts["phys-1"].tell("journal", "(VI_1) Entering BACKUP STATE\n(VI_1) Entering FAULT STATE")

    with pytest.raises(RefusedError, match=r"phys-1: keepalived is in FAULT; .* \[vip-no-successor\]"):
        hand_over(world)


@pytest.mark.parametrize("state", ["inactive", "failed"])
def test_a_source_whose_keepalived_is_off_has_nothing_to_give(world: World, state: str) -> None:
    world.hosts["vm-2"].unit("keepalived", state, "disabled")

    assert hand_over(world, "vm-2").change is Change.UNCHANGED


def test_a_source_that_never_had_keepalived_has_nothing_to_give(world: World) -> None:
    for word in ("active", "enabled"):
        world.hosts["vm-2"].path(f".state/units/keepalived/{word}").unlink()
    world.hosts["vm-2"].path(".state/units/keepalived").rmdir()

    assert hand_over(world, "vm-2").change is Change.UNCHANGED


def test_two_holders_are_an_error(world: World) -> None:
    world.platform = platform(timeouts={"vip_s": 1})
    standing_by(world)
    machines.run_keepalived(world.hosts["phys-2"])
    world.hears_no_adverts = {"phys-2"}

    with pytest.raises(DeadlineExceededError, match=r"exactly one host holds 10.0.0.100: not within 1 s") as late:
        hand_over(world)
    assert late.value.id == "vip-not-moved"


def test_an_api_that_is_silent_at_the_vip_is_an_error(world: World) -> None:
    standing_by(world)
    world.hosts["vm-2"].unit("keepalived", "inactive", "disabled")
    world.kube.api_servers["10.0.0.21"] = False

    with pytest.raises(DeadlineExceededError, match=r"the API answers at 10.0.0.100") as late:
        hand_over(world)
    assert late.value.id == "vip-api-silent"
