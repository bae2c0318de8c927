"""A target becomes a standby, and the VIP stays where it is."""

import pytest

from blocks.errors import VerificationError
from tasks.engine.outcome import Change, Outcome
from tasks.vip.standby import ensure_standby
from tests.fakes.world import World

CONF = "/etc/keepalived/keepalived.conf"


def stand_by(world: World) -> Outcome:
    target = world.platform.targets[0]
    return ensure_standby.fn(world.run(), world.hosts["phys-1"], world.platform, target, world.auth_pass)


def test_a_target_stands_by_and_leaves_the_vip_where_it_is(world: World) -> None:
    stand_by(world)

    assert world.hosts["phys-1"].unit_state("keepalived") == ("active", "enabled")
    assert world.vip_on == ["vm-1"]


def test_the_configuration_is_for_root_only(world: World) -> None:
    stand_by(world)

    assert world.hosts["phys-1"].path(CONF).stat().st_mode & 0o777 == 0o600


def test_an_older_configuration_is_kept_aside(world: World) -> None:
    world.hosts["phys-1"].write(CONF, "vrrp_instance OLD {}\n")

    (shown,) = stand_by(world).diffs

    assert world.hosts["phys-1"].read(f"{CONF}.aside-run-1") == "vrrp_instance OLD {}\n"
    assert "OLD" not in shown
    assert f"{CONF}: 1 lines that are not ours are kept aside and not shown" in shown


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

    with pytest.raises(
        VerificationError, match="phys-1: keepalived took the VIP though another host holds it"
    ) as wrong:
        stand_by(world)

    assert wrong.value.id == "vip-adverts-unheard"
    assert world.vip_on == ["vm-1"]
    assert world.hosts["phys-1"].unit_state("keepalived") == ("inactive", "disabled")
