"""Adverts are judged as keepalived judges them; and what its journal says of a stranger's."""

import pytest

from tasks.vip.adverts import announce, foreign_complaint, listens_for, parse_adverts, why_discarded
from tasks.vip.instance import read_instance
from tests.fakes.machines import advert
from tests.fakes.world import World
from tests.unit.tasks.vip.confs import small

AUTH = "authentication {\nauth_type PASS\nauth_pass s3cret\n}"
# From two network namespaces, a keepalived 2.2.7 in one of them: PASS "s3 cret", two addresses.
RECORDED = "10.77.0.1 213364020101ea690a4d00640a4d00657333206372657400"


@pytest.mark.parametrize(
    ("payload", "lines", "reasons"),
    [
        (advert("10.0.0.100"), (AUTH,), []),
        (advert("10.0.0.100", auth_pass=""), (), []),
        (advert("10.0.0.100", version=3), ("version 3",), []),
        (advert("10.0.0.100", version=3), ("version 3", AUTH), []),
        (advert("10.0.0.100", version=3), (AUTH,), ["VRRP version 3, its configuration says 2"]),
        (advert("10.0.0.100"), (), ["authentication of type 1, its configuration says 0"]),
        (advert("10.0.0.100", auth_pass="0ther"), (AUTH,), ["another password than in its configuration"]),
        (advert("10.0.0.100", interval=3), (AUTH,), ["an interval of 3 s, its configuration says 1 s"]),
        (
            advert("10.0.0.101", "10.0.0.100"),
            (AUTH,),
            ["the addresses 10.0.0.100, 10.0.0.101, its configuration says 10.0.0.100"],
        ),
    ],
)
def test_an_advert_is_discarded_for_what_keepalived_discards_it(
    payload: str, lines: tuple[str, ...], reasons: list[str]
) -> None:
    (heard,) = parse_adverts(f"10.0.0.11 {payload}\n")

    assert heard.source == "10.0.0.11"
    assert list(why_discarded(heard, small(*lines))) == reasons
    assert payload not in repr(heard)


def test_a_real_advert_is_read() -> None:
    (heard,) = parse_adverts(RECORDED)

    assert (heard.version, sorted(map(str, heard.addresses))) == (2, ["10.77.0.100", "10.77.0.101"])


@pytest.mark.parametrize("noise", ["", "neither", "OSError: [Errno 19] No such device", "10.0.0.11 21", "10.0.0.11 xyz"])
def test_what_is_no_advert_is_not_read_as_one(noise: str) -> None:
    assert parse_adverts(noise) == ()


@pytest.mark.parametrize(("lines", "seconds"), [((), 3), (("advert_int 5",), 15), (("advert_int 0.1", "version 3"), 1)])
def test_three_intervals_are_listened_for(lines: tuple[str, ...], seconds: float) -> None:
    assert listens_for(small(*lines)) == seconds


def test_the_holder_announces_the_addresses_that_it_has(world: World) -> None:
    holder = world.hosts["vm-1"]

    assert announce(holder, read_instance(holder, world.platform), timeout_s=5)
    assert holder.state("did").splitlines() == ["announce eth0 2 02:00:00:00:00:01 10.0.0.100"]


def test_a_holder_without_an_interpreter_can_not_announce(world: World) -> None:
    holder = world.hosts["vm-1"]
    holder.tell("lacks", "python3\nperl")

    assert not announce(holder, read_instance(holder, world.platform), timeout_s=5)


STRANGERS = [
    "(VI-kube): ip address associated with VRID 51 not present in MASTER advert : 10.0.0.36",
    "(VI_1) ip address associated with VRID 51 not present in MASTER advert: 10.0.0.101",
    "(VI_1) ip address associated with VRID 51 not present in advert from 10.0.0.9: 10.0.0.101",
    "ip address associated with VRID not present in received packet : 10.0.0.1",
    "receive an invalid passwd!",
    "(VI_1) received an invalid passwd!",
    "(VI_1) received an invalid passwd from 10.0.0.9!",
    "receive a 0 auth, expecting 1!",
    "(VI_1): received a 0 auth, expecting 1!",
    "(VI_1) received a 0 auth from 10.0.0.9, expecting 1!",
    "receive an invalid ip number count associated with VRID!",
    "(VI_1): received an invalid ip number count 3, expected 1!",
    "(VI_1) received an unexpected ip number count 3, expected 1!",
    "(VI_1) expected 1 VIPs but received 3",
    "advertissement interval mismatch mine=1 rcved=5",
    "(VI_1) advertisement interval mismatch mine=1 sec rcv'd=5 sec",
    "(VI_1) Received advert from 10.0.0.113 with lower priority 90, ours 100, forcing new election",
    "VRRP_Instance(VI_1) Received advert with higher priority 150, ours 100",
    "VRRP_Instance(VI_1) Received lower prio advert, forcing new election",
    "VRRP_Instance(VI_1) Received higher prio advert",
    "(VI_1) Master received advert from 10.0.0.9 with same priority 100 but higher IP address than ours",
    "invalid version. 3 and expect 2",
    "(VI_1) invalid version. 3 and expect 2",
    "(VI_1) wrong version. Received 3 and expect 2",
    "(VI_1) wrong VRRP version from 10.0.0.9. Received 3 and expect 2",
]
OWN = [
    "(VI_1) Entering MASTER STATE",
    "VRRP_Instance(VI_1) sent 0 priority",
    "(VI_1) Receive advertisement timeout",
    "SECURITY VIOLATION - scripts are being executed but script_security not enabled.",
    "(VI_1) Changing effective priority from 200 to 206",
    "Script `chk_haproxy` now returning 1",
    "(VI_1) Backup received priority 0 advertisement",
    "(VI_1) master set to 10.0.0.11",
]


@pytest.mark.parametrize("line", STRANGERS)
def test_a_strangers_advert_is_known_from_the_journals_of_keepalived_1_2_to_2_4(line: str) -> None:
    assert foreign_complaint([*OWN, line]) == line


def test_what_keepalived_logs_of_itself_is_no_stranger() -> None:
    assert foreign_complaint(OWN) is None
