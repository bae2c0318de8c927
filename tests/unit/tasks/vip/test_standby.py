"""A target becomes a standby, and the VIP stays where it is."""

import pytest

from blocks.errors import RefusedError, VerificationError
from tasks.engine.finding import Finding, FindingsError
from tasks.engine.outcome import Change, Outcome
from tasks.vip.standby import check_standby, ensure_standby
from tests.fakes import machines
from tests.fakes.platform import CONFIG, platform
from tests.fakes.world import World

CONF = "/etc/keepalived/keepalived.conf"


def stand_by(world: World) -> Outcome:
    target = world.platform.targets[0]
    return ensure_standby.fn(world.run(), world.hosts["phys-1"], world.platform, target, world.hosts)


def ask(world: World) -> Outcome:
    return check_standby.fn(world.run(), world.hosts["phys-1"], world.platform, world.platform.targets[0], world.hosts)


def refused(world: World) -> Finding:
    """The one refusal that the check and, before it acts, the step have in common."""
    with pytest.raises(FindingsError) as checked:
        ask(world)
    with pytest.raises(FindingsError) as stepped:
        stand_by(world)
    assert stepped.value.findings == checked.value.findings
    assert world.hosts["phys-1"].unit_state("keepalived") == ("inactive", "disabled")
    assert world.hosts["phys-1"].mutations == []
    (finding,) = checked.value.findings
    return finding


def has_script(world: World, text: str = "#!/bin/sh\nexit 0\n") -> None:
    """The holder tracks a script of its own."""
    host = world.hosts["vm-1"]
    host.write("/etc/keepalived/check.sh", text, mode=0o750)
    path = host.path("/etc/keepalived/check.sh")
    script = f'vrrp_script chk {{\nscript "{path} --fast"\n}}\n'
    host.write(CONF, script + host.read(CONF).replace("advert_int 1", "advert_int 1\ntrack_script {\nchk\n}"), mode=0o600)
    world.forget()


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


def test_a_target_whose_firewall_opens_later_listens_again_before_its_keepalived_starts(world: World) -> None:
    world.hears_no_adverts.add("phys-1")
    world._elect()
    world.forget()

    target, hosts = world.platform.targets[0], world.hosts
    outcome = check_standby.fn(world.run(), hosts["phys-1"], world.platform, target, hosts, {"phys-1"})
    assert [finding.id for finding in outcome.findings] == ["firewall-opens-later"]
    with pytest.raises(FindingsError, match="vip-adverts-unheard"):
        stand_by(world)


def test_a_target_that_hears_no_adverts_is_refused_before_its_keepalived_starts(world: World) -> None:
    world.hosts["phys-1"].tell("adverts", "")

    finding = refused(world)

    assert (finding.id, finding.final) == ("vip-adverts-unheard", True)
    assert finding.what == "no VRRP adverts of VRID 51 heard on eth0 within 3 s"
    assert finding.remedy.startswith("let protocol 112 and multicast to 224.0.0.18 through to it, in its own firewall: firewall-cmd ")


def test_adverts_of_another_router_are_not_the_holders(world: World) -> None:
    world.hosts["phys-1"].tell("adverts", f"10.0.0.9 {machines.advert('10.0.0.100', vrid=52)}")

    assert refused(world).id == "vip-adverts-unheard"


def test_adverts_that_keepalived_would_discard_are_refused(world: World) -> None:
    world.hosts["phys-1"].tell("adverts", f"10.0.0.11 {machines.advert('10.0.0.100', '10.0.0.101')}")

    finding = refused(world)

    assert (finding.id, finding.final) == ("vip-adverts-differ", True)
    assert finding.what == (
        "the adverts of VRID 51 heard on eth0 are others than the holder's configuration says: "
        "10.0.0.11 has the addresses 10.0.0.100, 10.0.0.101, its configuration says 10.0.0.100"
    )


@pytest.mark.parametrize("source", ["10.0.0.9", "10.0.0.11"], ids=["another machine", "the holder's machine"])
def test_a_strangers_adverts_beside_the_holders_are_refused(world: World, source: str) -> None:
    own, other = (machines.advert("10.0.0.100", auth_pass=password) for password in ("s3cret", "strange"))
    world.hosts["phys-1"].tell("adverts", f"{source} {other}\n10.0.0.11 {own}\n{source} {other}")

    finding = refused(world)

    assert (finding.id, finding.final) == ("vip-vrid-foreign", False)
    assert finding.what == f"another router on this network uses VRID 51: {source} has another password than in its configuration"
    assert "strange" not in repr(finding)


def test_a_target_without_python_and_perl_is_refused(world: World) -> None:
    world.hosts["phys-1"].tell("lacks", "python3\npython\nperl")
    world.forget()

    assert refused(world).id == "vip-listener-missing"


def test_perl_will_do(world: World) -> None:
    world.hosts["phys-1"].tell("lacks", "python3\npython")

    assert ask(world).why == "hears vm-1"


@pytest.mark.parametrize(
    ("conf", "lacks", "said"),
    [
        ("virtual_ipaddress_excluded {\n10.1.0.1/32 dev eth7\n}", ("nothing", ""), "no interface eth7"),
        ("notify /usr/local/bin/not-there", ("nothing", ""), "no command /usr/local/bin/not-there"),
        ("", ("lacks-users", "checker"), "no user checker"),
    ],
)
def test_what_the_holder_names_and_the_target_lacks_is_refused(
    world: World, conf: str, lacks: tuple[str, str], said: str
) -> None:
    host = world.hosts["vm-1"]
    host.write(CONF, "global_defs {\nscript_user checker\n}\n" + host.read(CONF).replace("advert_int 1", f"advert_int 1\n{conf}"))
    host.tell("addresses", host.state("addresses") + "eth7 10.1.0.1/32")
    world.hosts["phys-1"].tell(*lacks)
    world.forget()

    finding = refused(world)

    assert (finding.id, finding.what) == ("vip-target-lacks", f"{said}, which the holder's {CONF} names")


def test_a_target_has_an_interface_of_its_own(world: World) -> None:
    world.platform = platform(targets=[{**CONFIG["targets"][0], "interface": "bond0.5"}, *CONFIG["targets"][1:]])
    world.hosts["phys-1"].tell("addresses", "bond0.5 10.0.0.21/24")

    stand_by(world)

    assert "    interface bond0.5\n" in world.hosts["phys-1"].read(CONF)


def test_the_holders_scripts_come_along_and_what_was_there_is_kept(world: World) -> None:
    has_script(world)
    target = world.hosts["phys-1"]
    target.write("/etc/keepalived/check.sh", "older\n")

    stand_by(world)

    assert target.read("/etc/keepalived/check.sh") == "#!/bin/sh\nexit 0\n"
    assert target.path("/etc/keepalived/check.sh").stat().st_mode & 0o777 == 0o750
    assert target.read("/etc/keepalived/check.sh.aside-run-1") == "older\n"


def test_a_script_that_differs_is_written_again(world: World) -> None:
    has_script(world)
    stand_by(world)
    assert stand_by(world).change is Change.UNCHANGED
    has_script(world, "#!/bin/sh\nexit 1\n")

    stand_by(world)

    assert world.hosts["phys-1"].read("/etc/keepalived/check.sh") == "#!/bin/sh\nexit 1\n"


def test_a_standby_in_fault_could_not_take_the_vip(world: World) -> None:
    world.hosts["phys-1"].tell("journal", "(VI_1) Entering BACKUP STATE\n(VI_1) Entering FAULT STATE")

    with pytest.raises(VerificationError, match=r"phys-1: .*could not take the VIP: keepalived is in FAULT") as wrong:
        stand_by(world)
    assert wrong.value.id == "vip-standby-faulty"
    world.hosts["phys-1"].tell("journal", "VRRP_Instance(VI_1) Entering FAULT STATE\nVRRP_Instance(VI_1) Entering BACKUP STATE")
    assert stand_by(world).change is Change.UNCHANGED


def test_a_target_that_takes_the_vip_is_stopped_again_and_the_holder_announces_itself(world: World) -> None:
    world.discards_adverts = {"phys-1"}

    with pytest.raises(
        VerificationError, match=r"phys-1: keepalived took the VIP .*; vm-1 has announced 10.0.0.100 by gratuitous ARP"
    ) as wrong:
        stand_by(world)

    assert wrong.value.id == "vip-taken"
    assert world.vip_on == ["vm-1"]
    assert world.hosts["phys-1"].unit_state("keepalived") == ("inactive", "disabled")
    assert "announce eth0 2 02:00:00:00:00:01 10.0.0.100" in world.hosts["vm-1"].state("did")


def test_a_holder_that_can_not_announce_is_named_with_what_to_type(world: World) -> None:
    world.discards_adverts = {"phys-1"}
    world.hosts["vm-1"].tell("lacks", "python3\npython\nperl")

    with pytest.raises(VerificationError, match=r"on vm-1 type arping -U -c 3 -I eth0 10\.0\.0\.100: "):
        stand_by(world)


def test_a_target_that_holds_the_vip_is_asked_for_nothing(world: World) -> None:
    world.has_left()

    assert ask(world).why == "it holds the VIP"


def test_without_a_single_holder_there_is_nobody_to_hear(world: World) -> None:
    world.hosts["vm-2"].tell("addresses", "eth0 10.0.0.100/24")

    assert ask(world).why == "not asked: not exactly one machine holds the VIP"
    with pytest.raises(FindingsError, match=r"\[vip-two-holders\]"):
        stand_by(world)


def test_a_keepalived_that_is_masked_is_refused_before_its_file_is_written(world: World) -> None:
    host = world.hosts["phys-1"]
    host.mask("keepalived")
    world.forget()

    with pytest.raises(RefusedError, match=r"phys-1: its unit keepalived is masked: .*systemctl unmask keepalived \[unit-masked\]"):
        stand_by(world)
    assert world.mutations == []
