"""The VIP is on exactly one machine, before, while and after it is handed over."""

import pytest
from pydantic import SecretStr

from blocks.errors import DeadlineExceededError, RefusedError, VerificationError
from tasks.engine.outcome import Change, Outcome
from tasks.vip.conf import vrrp_mismatch
from tasks.vip.handover import ensure_keepalived_stopped
from tasks.vip.standby import ensure_standby
from tests.fakes import machines
from tests.fakes.platform import platform
from tests.fakes.world import World
from tests.unit.tasks.cases import standing_by

CONF = "/etc/keepalived/keepalived.conf"
RIGHT = "virtual_router_id 51\n  advert_int 1\n  auth_pass s3cret\n"
OURS = f"vrrp_instance VI_1 {{\n{RIGHT}  virtual_ipaddress {{\n    10.0.0.100/24\n  }}\n}}\n"
OTHER = "vrrp_instance VI_2 {\n  virtual_router_id 52\n  virtual_ipaddress {\n    10.0.0.10\n  }\n}\n"


def stand_by(world: World) -> Outcome:
    target = world.platform.targets[0]
    return ensure_standby.fn(world.run(), world.hosts["phys-1"], world.platform, target, world.auth_pass)


def hand_over(world: World, source: str = "vm-1") -> Outcome:
    return ensure_keepalived_stopped.fn(world.run(), world.hosts[source], world.platform, world.hosts, world.kube)


def test_a_target_stands_by_and_leaves_the_vip_where_it_is(world: World) -> None:
    stand_by(world)

    assert world.hosts["phys-1"].unit_state("keepalived") == ("active", "enabled")
    assert world.vip_on == ["vm-1"]


def test_the_configuration_is_for_root_only(world: World) -> None:
    stand_by(world)

    assert world.hosts["phys-1"].path(CONF).stat().st_mode & 0o777 == 0o600


def test_an_older_configuration_is_kept_aside(world: World) -> None:
    world.hosts["phys-1"].write(CONF, "vrrp_instance OLD {}\n")

    (told,) = stand_by(world).diffs

    assert world.hosts["phys-1"].read(f"{CONF}.aside-run-1") == "vrrp_instance OLD {}\n"
    assert "OLD" not in told
    assert f"{CONF}: 1 lines that are not ours are kept aside and not shown" in told


def test_a_configuration_that_others_may_read_is_written_again(world: World) -> None:
    stand_by(world)
    world.hosts["phys-1"].path(CONF).chmod(0o644)

    assert stand_by(world).change is Change.CHANGED


def test_passwords_are_in_no_diff(world: World) -> None:
    world.hosts["phys-1"].write(CONF, "auth_pass 0ldsecret\n")

    diff = stand_by(world).diffs[0]

    assert "auth_pass **********" in diff
    assert "s3cret" not in diff
    assert "0ldsecret" not in diff


def test_a_target_that_hears_no_adverts_is_stopped_again(world: World) -> None:
    world.hears_no_adverts = {"phys-1"}

    with pytest.raises(VerificationError, match="phys-1: keepalived took the VIP though another host holds it"):
        stand_by(world)

    assert world.vip_on == ["vm-1"]
    assert world.hosts["phys-1"].unit_state("keepalived") == ("inactive", "disabled")


def test_the_vip_goes_to_the_target_of_the_highest_priority(world: World) -> None:
    standing_by(world)
    machines.run_keepalived(world.hosts["phys-2"], priority=240)
    world.hosts["vm-2"].unit("keepalived", "inactive", "disabled")

    assert hand_over(world).why == "the VIP is on phys-1"
    assert world.vip_on == ["phys-1"]


def test_a_source_that_only_waits_leaves_without_moving_the_vip(world: World) -> None:
    standing_by(world)

    assert hand_over(world, "vm-2").why == "keepalived is off and disabled"
    assert world.vip_on == ["vm-1"]


def test_a_vip_without_an_heir_stays(world: World) -> None:
    with pytest.raises(RefusedError, match="keepalived runs on no target: set it up first"):
        hand_over(world)
    assert world.mutations == []


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

    with pytest.raises(DeadlineExceededError, match=r"exactly one host holds 10.0.0.100: not within 1 s"):
        hand_over(world)


def test_an_api_that_is_silent_at_the_vip_is_an_error(world: World) -> None:
    standing_by(world)
    world.hosts["vm-2"].unit("keepalived", "inactive", "disabled")
    world.kube.api_servers["10.0.0.21"] = False

    with pytest.raises(DeadlineExceededError, match=r"the API answers at 10.0.0.100"):
        hand_over(world)


@pytest.mark.parametrize(
    ("conf", "said"),
    [
        (RIGHT, None),
        (RIGHT.replace("  advert_int 1\n", ""), None),
        (RIGHT.replace("51", "52"), "keepalived.virtual_router_id: 51, but it has 52: write that"),
        (RIGHT.replace("advert_int 1", "advert_int 3"), "keepalived.advert_interval_s: 1, but it has 3: write that"),
        (
            RIGHT.replace("s3cret", "0ther"),
            "keepalived.auth_pass: what environment variable VRRP_PASSWORD holds is not its password: put that there",
        ),
        (
            f"{RIGHT}  unicast_peer {{\n    10.0.0.12\n  }}\n",
            "its adverts go to its unicast_peer only, no target would hear them: let it multicast, restart keepalived there",
        ),
        (OURS + OTHER, None),
        (OTHER + OURS, None),
        ("", "keepalived.virtual_router_id: 51, but it has None: write that"),
    ],
    ids=[
        "the same", "a default", "another router", "another interval", "another password", "unicast",
        "another instance after", "another instance before", "nothing",
    ],
)
def test_a_wish_that_speaks_another_vrrp_is_told(conf: str, said: str | None) -> None:
    assert vrrp_mismatch(conf, platform(), SecretStr("s3cret")) == said


def test_of_a_long_password_keepalived_reads_the_first_eight_bytes() -> None:
    assert vrrp_mismatch(RIGHT.replace("s3cret", "s3cretword"), platform(), SecretStr("s3cretwo")) is None
