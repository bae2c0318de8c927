"""Whether the VIP can move, and whether it has."""

import pytest
from pydantic import SecretStr

from tasks.engine.finding import Finding, FindingsError
from tasks.engine.outcome import Change, Outcome
from tasks.vip.checks import check_vip, verify_vip
from tests.fakes.platform import CONFIG, platform
from tests.fakes.world import World
from tests.unit.tasks.cases import hosts_of

CONF = "/etc/keepalived/keepalived.conf"


def ask_vip(world: World, password: str | None = "s3cret") -> Outcome:
    secret = None if password is None else SecretStr(password)
    return check_vip.fn(world.run(), world.platform, world.hosts, secret, world.kube)


def says(world: World, **keepalived: object) -> None:
    """Write this in the config."""
    world.platform = platform(keepalived={**CONFIG["keepalived"], **keepalived})


def refused(world: World, password: str | None = "s3cret") -> list[Finding]:
    with pytest.raises(FindingsError) as error:
        ask_vip(world, password)
    return [finding for finding in error.value.findings if finding.refuses]


def verify(world: World) -> Outcome:
    return verify_vip.fn(world.run(), world.platform, hosts_of(world), world.kube)


def change_conf(world: World, old: str, new: str) -> None:
    host = world.hosts["vm-1"]
    host.write(CONF, host.read(CONF).replace(old, new))


def test_a_vip_that_no_machine_holds_is_refused(world: World) -> None:
    world.hosts["vm-1"].tell("addresses", "eth0 10.0.0.11/24")

    assert [(finding.id, finding.final, finding.what) for finding in refused(world)] == [
        ("vip-no-holder", True, "10.0.0.100 is held by none of the machines, expected exactly one")
    ]


def test_a_vip_that_two_hold_is_refused(world: World) -> None:
    world.hosts["vm-2"].tell("addresses", "eth0 10.0.0.12/24\neth0 10.0.0.100/24")

    assert [(finding.id, finding.final, finding.what) for finding in refused(world)] == [
        ("vip-two-holders", True, "10.0.0.100 is held by vm-1, vm-2, expected exactly one")
    ]


def test_another_prefix_than_the_holders_is_refused(world: World) -> None:
    says(world, prefix_length=32)

    assert [str(finding) for finding in refused(world)] == [
        f"vm-1: {CONF} has the VIP as /24, the config as /32: write keepalived.prefix_length: 24 [vip-prefix-differs]"
    ]


def test_the_config_need_not_say_what_the_holder_has(world: World) -> None:
    change_conf(world, "virtual_router_id 51", "virtual_router_id 77")
    change_conf(world, "advert_int 1", "advert_int 3")
    world.platform = platform(keepalived={"interface": "eth0", "holders": 2})

    assert ask_vip(world, None).why == "held by vm-1, the API answers there"


def test_a_password_where_the_holder_has_none_is_refused(world: World) -> None:
    change_conf(world, "auth_pass s3cret", "")

    assert [str(finding) for finding in refused(world)] == [
        f"vm-1: {CONF} has no authentication in force, the config has keepalived.auth_pass: leave keepalived.auth_pass out "
        "[vip-password-differs]"
    ]
    assert ask_vip(world, None).why == "held by vm-1, the API answers there"


def test_an_address_that_the_holder_lacks_is_refused(world: World) -> None:
    change_conf(world, "10.0.0.100/24", "10.0.0.100/24\n10.0.0.101/24")

    assert [str(finding) for finding in refused(world)] == [
        f"vm-1: {CONF} has 10.0.0.101 beside the VIP, the machine has not: systemctl reload keepalived there, "
        "journalctl -u keepalived [vip-address-missing]"
    ]


def test_what_can_not_be_carried_over_is_refused_by_name(world: World) -> None:
    host = world.hosts["vm-1"]
    more = "vrrp_instance VI_2 {\nvirtual_router_id 52\n}\nvrrp_sync_group G1 {\ngroup {\nVI_1\nVI_2\n}\n}\n"
    host.write(CONF, "global_defs {\nlvs_flush\n}\n" + host.read(CONF).replace("advert_int 1", "advert_int 1\nuse_vmac") + more)

    (finding,) = refused(world)

    assert (finding.id, finding.final) == ("vip-not-carried", False)
    assert finding.what == f"{CONF} has use_vmac, vrrp_instance VI_2, vrrp_sync_group G1: not carried over to the targets"


def test_settings_of_the_daemon_that_are_left_out_are_noted(world: World) -> None:
    host = world.hosts["vm-1"]
    host.write(CONF, "global_defs {\nrouter_id a\nlvs_flush\n}\n" + host.read(CONF))

    assert [(finding.id, finding.what) for finding in ask_vip(world).findings] == [
        ("vip-globals-left-out", f"{CONF} has lvs_flush in global_defs: not carried over to the targets")
    ]


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [("auth_type PASS", "auth_type AH", "auth_type AH"), ("advert_int 1", "auth_hmac {\nkey 1 abc\n}", "auth_hmac")],
)
def test_an_authentication_that_targets_do_not_speak_is_refused(world: World, old: str, new: str, named: str) -> None:
    change_conf(world, old, new)

    finding = refused(world)[0]

    assert (finding.id, finding.final, finding.what) == ("vip-auth-unsupported", True, f"{CONF} has {named}, expected PASS or none")


def test_an_address_that_begins_like_the_vip_is_not_the_vip(world: World) -> None:
    world.hosts["vm-2"].tell("addresses", "eth0 110.0.0.100/24\neth0 10.0.0.1001/24")

    assert ask_vip(world).why == "held by vm-1, the API answers there"


def test_a_password_that_is_not_the_holders_is_refused_and_not_shown(world: World) -> None:
    (finding,) = refused(world, "wr0ng")

    assert str(finding) == (
        "vm-1: keepalived.auth_pass: what environment variable VRRP_PASSWORD holds is not its password: "
        f"put the auth_pass of {CONF} there, or leave keepalived.auth_pass out [vip-password-differs]"
    )
    assert finding.final
    assert "wr0ng" not in repr(finding)
    assert "s3cret" not in repr(finding)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "virtual_router_id 51",
            "virtual_router_id 52",
            "vm-1: /etc/keepalived/keepalived.conf has virtual_router_id 52, the config 51: "
            "write keepalived.virtual_router_id: 52 [vip-vrid-differs]",
        ),
        (
            "advert_int 1",
            "advert_int 3",
            "vm-1: /etc/keepalived/keepalived.conf has advert_int 3, the config 1: "
            "write keepalived.advert_interval_s: 3 [vip-interval-differs]",
        ),
        (
            "advert_int 1",
            "unicast_peer {\n    10.0.0.12\n  }",
            "vm-1: /etc/keepalived/keepalived.conf sends adverts to its unicast_peer only, the targets would not hear them: "
            "delete unicast_peer there, so that it multicasts, then systemctl restart keepalived [vip-unicast]",
        ),
        (
            "virtual_router_id 51",
            "",
            "vm-1: /etc/keepalived/keepalived.conf has no vrrp_instance with 10.0.0.100 and a virtual_router_id: "
            "see /etc/keepalived/keepalived.conf there [vip-instance-missing]",
        ),
    ],
    ids=["another router", "another interval", "unicast", "no instance"],
)
def test_a_holder_whose_adverts_the_targets_would_not_hear_is_refused(
    world: World, old: str, new: str, said: str
) -> None:
    says(world, advert_interval_s=1)
    change_conf(world, old, new)

    assert [(str(finding), finding.final) for finding in refused(world)] == [(said, True)]


def test_all_that_the_config_contradicts_is_reported_together(world: World) -> None:
    says(world, advert_interval_s=1)
    change_conf(world, "virtual_router_id 51", "virtual_router_id 52")
    change_conf(world, "advert_int 1", "advert_int 3")
    world.kube.api_servers["10.0.0.11"] = False

    assert {finding.id for finding in refused(world, "wr0ng")} == {
        "vip-vrid-differs", "vip-interval-differs", "vip-password-differs", "vip-api-silent"
    }  # fmt: skip


def test_an_api_that_does_not_answer_at_the_vip_is_refused(world: World) -> None:
    world.kube.api_servers["10.0.0.11"] = False

    (finding,) = refused(world)

    assert (finding.id, finding.where) == ("vip-api-silent", "vip")
    assert finding.remedy.endswith("add --tls-san=10.0.0.100 to the servers")


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

    assert [str(finding) for finding in refused(world)] == [
        f"vm-1: another router on this network uses VRID 51: keepalived logs: {complaint}: "
        "find it with tcpdump -ni eth0 vrrp, give it another VRID [vip-vrid-foreign]"
    ]


def test_what_keepalived_logs_of_itself_is_no_foreign_router(world: World) -> None:
    world.hosts["vm-1"].tell("journal", "(VI_1) Entering MASTER STATE\n(VI_1) removing VIPs.")

    assert ask_vip(world).why == "held by vm-1, the API answers there"


def test_a_target_that_holds_the_vip_has_been_given_the_config_already(world: World) -> None:
    world.has_left()

    assert ask_vip(world, "wr0ng").why == "held by phys-1, the API answers there"


def test_a_vip_on_a_target_is_verified(world: World) -> None:
    world.has_left()

    assert verify(world).why == "held by phys-1, the API answers there"


def test_a_vip_that_is_on_no_target_is_not_verified(world: World) -> None:
    world.has_left()
    world.hosts["phys-1"].tell("addresses", "")
    world.hosts["vm-1"].tell("addresses", "eth0 10.0.0.100/24")

    with pytest.raises(FindingsError) as error:
        verify(world)
    assert error.value.findings[0].what == "10.0.0.100 is held by vm-1, expected one of phys-1, phys-2"
    assert error.value.findings[0].id == "vip-not-on-target"


@pytest.mark.parametrize(
    ("holders", "id", "said"),
    [((), "vip-no-holder", "none of the machines"), (("phys-1", "vm-1"), "vip-two-holders", "vm-1, phys-1")],
)
def test_a_vip_that_none_or_two_hold_is_not_verified(
    world: World, holders: tuple[str, ...], id: str, said: str
) -> None:
    world.has_left()
    for name in ("phys-1", "vm-1"):
        world.hosts[name].tell("addresses", "eth0 10.0.0.100/24" if name in holders else "")

    with pytest.raises(FindingsError) as error:
        verify(world)
    assert [(finding.id, finding.what) for finding in error.value.findings] == [
        (id, f"10.0.0.100 is held by {said}, expected exactly one")
    ]


def test_an_address_that_did_not_move_with_the_vip_is_not_verified(world: World) -> None:
    world.has_left()
    host = world.hosts["phys-1"]
    host.write(CONF, host.read(CONF).replace("10.0.0.100/24", "10.0.0.100/24\n10.0.0.101/24"))

    with pytest.raises(FindingsError, match=r"phys-1: .* has 10.0.0.101 beside the VIP, .* \[vip-address-missing\]"):
        verify(world)


def test_an_api_that_is_silent_at_the_vip_is_not_verified(world: World) -> None:
    world.has_left()
    world.kube.api_servers["10.0.0.21"] = False

    with pytest.raises(FindingsError, match=r"vip: the API does not answer at .* \[vip-api-silent\]"):
        verify(world)


def test_a_dry_run_only_says_what_will_be_verified(world: World) -> None:
    outcome = verify_vip.fn(world.run(dry=True), world.platform, hosts_of(world), world.kube)

    assert (outcome.change, outcome.why) == (
        Change.PLANNED,
        "checked: Exactly one machine holds the VIP and all addresses of its VRRP instance, a target, and the API answers there.",
    )
