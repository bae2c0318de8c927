"""The holder's VRRP instance, read as its keepalived reads it."""

import base64
from ipaddress import IPv4Address

import pytest

from tasks.engine.finding import FindingsError
from tasks.vip.instance import CONF, Instance, read_instance
from tests.fakes.host import FakeHost
from tests.fakes.world import World
from tests.unit.tasks.vip.confs import instance, small

AUTH = "authentication {\nauth_type %s\nauth_pass %s\n}"
VRRP = "vrrp_instance VI_1 {\n  virtual_router_id 51\n  virtual_ipaddress {\n    10.0.0.100\n  }\n}\n"


def read(world: World, conf: str) -> Instance:
    world.hosts["vm-1"].write(CONF, conf)
    return read_instance(world.hosts["vm-1"], world.platform)


def refused(world: World, conf: str) -> str:
    with pytest.raises(FindingsError) as error:
        read(world, conf)
    assert all(finding.final for finding in error.value.findings)
    return str(error.value)


def test_everything_that_peers_must_have_in_common_is_read() -> None:
    found = instance()

    assert (found.virtual_router_id, found.interface, found.version, found.advert_int) == ("51", "eth0", 2, 1)
    assert (found.auth_type, found.auth_pass.get_secret_value()) == ("PASS", "s3cret")
    assert [str(address) for address in found.addresses] == ["10.0.0.100/24", "10.0.0.101/24"]
    assert found.all_addresses == ("10.0.0.100", "10.0.0.101", "10.1.0.1")
    assert found.prefix_of(IPv4Address("10.0.0.100")) == 24
    assert found.group == "224.0.0.18"


@pytest.mark.parametrize(
    ("lines", "top", "expected"),
    [
        ((), "", 1),
        (("advert_int 3",), "", 3),
        (("advert_int 0.5",), "", 1),
        (("advert_int 0.4",), "", 1),
        (("advert_int 1.6",), "", 2),
        (("advert_int 0.25", "version 3"), "", 0.25),
        (("advert_int 0.25",), "global_defs {\nvrrp_version 3\n}", 0.25),
    ],
)
def test_an_interval_below_a_second_is_one_in_version_3_only(lines: tuple[str, ...], top: str, expected: float) -> None:
    assert small(*lines, top=top).advert_int == expected


@pytest.mark.parametrize(
    ("lines", "top", "expected"),
    [
        ((), "", ""),
        ((AUTH % ("PASS", '""'),), "", ""),
        ((AUTH % ("PASS", "s3cret"),), "", "PASS"),
        ((AUTH % ("AH", "s3cret"),), "", "AH"),
        ((AUTH % ("PASS", "s3cret"), "version 3"), "", ""),
        ((AUTH % ("PASS", "s3cret"),), "global_defs {\nvrrp_strict\n}", ""),
        ((AUTH % ("PASS", "s3cret"), "strict_mode off"), "global_defs {\nvrrp_strict\n}", "PASS"),
    ],
)
def test_the_authentication_in_force_is_known(lines: tuple[str, ...], top: str, expected: str) -> None:
    assert small(*lines, top=top).auth_type == expected


@pytest.mark.parametrize(
    ("lines", "top", "expected"),
    [
        (("mcast_dst_ip 224.0.0.99",), "", "224.0.0.99"),
        ((), "global_defs {\nvrrp_mcast_group4 224.0.0.98\n}", "224.0.0.98"),
    ],
)
def test_another_multicast_group_is_known(lines: tuple[str, ...], top: str, expected: str) -> None:
    assert small(*lines, top=top).group == expected


def test_of_a_long_password_keepalived_reads_the_first_eight_bytes() -> None:
    assert small(AUTH % ("PASS", "s3cretword")).auth_pass.get_secret_value() == "s3cretwo"


def test_an_address_without_a_prefix_is_a_whole_one() -> None:
    assert instance(VRRP).prefix_of(IPv4Address("10.0.0.100")) == 32


def test_the_instance_of_the_vip_is_found_among_several(world: World) -> None:
    other = VRRP.replace("51", "52").replace("10.0.0.100", "10.0.0.10")

    assert [read(world, conf).virtual_router_id for conf in (other + VRRP, VRRP + other)] == ["51", "51"]


@pytest.mark.parametrize("line", ["include conf.d/*.conf", "\tincludea conf.d/vip.conf # here", "include {root}/etc/keepalived/conf.d/v*"])
def test_included_files_are_read_where_they_are(world: World, line: str) -> None:
    host = world.hosts["vm-1"]
    host.write("/etc/keepalived/conf.d/vip.conf", VRRP.replace("  virtual_router_id 51\n", "include deeper/id\r\n"))
    host.write("/etc/keepalived/conf.d/deeper/id", "virtual_router_id 51")

    found = read(world, f"global_defs {{\n}}\n{line.replace('{root}', str(host.root))}\ninclude nothing/*.conf\n")

    assert found.virtual_router_id == "51"
    assert len(host.mutations) == 0


def test_the_file_that_keepalived_was_started_with_is_read(world: World) -> None:
    host = world.hosts["vm-1"]
    host.tell("units/keepalived/pid", "816")
    host.write("/proc/816/cmdline", f"/usr/sbin/keepalived\0--dont-fork\0-f\0{host.path('/etc/other.conf')}\0-D\0")
    host.write("/etc/other.conf", VRRP.replace("51", "77"))

    assert read(world, VRRP).virtual_router_id == "77"


def test_scripts_are_read_with_their_modes_and_programs_are_not(world: World) -> None:
    host = world.hosts["vm-1"]
    for path, text, mode in (
        ("/etc/keepalived/check.sh", "#!/bin/sh\nexit 0\n", 0o750),
        ("/etc/keepalived/notes.txt", "#!/bin/sh\n", 0o644),
    ):
        host.write(path, text, mode=mode)
    host.path("/etc/keepalived/program").write_bytes(b"\x7fELF\0")
    host.path("/etc/keepalived/program").chmod(0o755)
    named = " ".join(str(host.path(path)) for path in ("/etc/keepalived/check.sh", "/etc/keepalived/notes.txt", "/etc/keepalived/program"))

    (script,) = read(world, f'notify "{named} /usr/bin/ldd"\n{VRRP}').scripts  # ldd is a script that a package brings

    assert (script.path, script.mode) == ("/etc/keepalived/check.sh", "750")
    assert base64.b64decode(script.encoded) == b"#!/bin/sh\nexit 0\n"
    assert script.encoded not in repr(script)


def test_a_file_without_the_vip_is_refused(world: World) -> None:
    for conf in ("", VRRP.replace("10.0.0.100", "10.0.0.10"), VRRP.replace("virtual_router_id 51", "")):
        assert refused(world, conf) == (
            f"vm-1: {CONF} has no vrrp_instance with 10.0.0.100 and a virtual_router_id: see {CONF} there [vip-instance-missing]"
        )


@pytest.mark.parametrize("line", ["$VIP=10.0.0.100", "include {a,b}.conf", "@vm-1 x"])
def test_a_file_that_is_not_read_whole_is_refused(world: World, line: str) -> None:
    assert refused(world, f"{line}\n{VRRP}") == (
        f"vm-1: {CONF} is not read: line 1 begins with {line.split()[0].split('=')[0]}, which is not evaluated: write it without "
        "[vip-conf-unsupported]"
    )


def test_one_round_trip_reads_it_all(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    trips: list[str] = []
    run = FakeHost.run
    monkeypatch.setattr(FakeHost, "run", lambda self, *args, **named: (trips.append(self.name), run(self, *args, **named))[1])

    read(world, VRRP)

    assert trips == ["vm-1"]
