"""keepalived.conf of targets: the holder's, but for what is one machine's own."""

from pathlib import Path

import pytest

from tasks.vip.conf import (
    devices_of,
    globals_left_out,
    keepalived_conf,
    masked,
    not_carried,
    programs_of,
    scripts_of,
    users_of,
)
from tasks.vip.grammar import parse
from tasks.vip.instance import Instance
from tests.fakes.platform import CONFIG, platform
from tests.unit.tasks.vip.confs import VIP, WHOLE, instance, instance_with, small

GOLDEN = Path(__file__).parent / "golden"
PLATFORM = platform(targets=[{**CONFIG["targets"][0], "interface": "bond0.5"}, *CONFIG["targets"][1:]])
AUTH = "authentication {\nauth_type PASS\nauth_pass %s\n}"


@pytest.mark.parametrize("rank", [0, 1])
def test_a_target_gets_all_of_the_instance_but_state_interface_and_priority(rank: int) -> None:
    conf = keepalived_conf(PLATFORM, PLATFORM.targets[rank], instance())

    assert conf == (GOLDEN / f"keepalived-{rank + 1}.conf").read_text()


def test_what_is_written_is_written_again_from_itself() -> None:
    """A target that holds the VIP is read as the sources were."""
    target = PLATFORM.targets[0]
    first = keepalived_conf(PLATFORM, target, instance())
    own = instance_with(VIP, parse(first))
    assert own is not None

    assert keepalived_conf(PLATFORM, target, Instance(own, parse(first))) == first


def test_only_the_holders_interface_is_renamed() -> None:
    conf = keepalived_conf(PLATFORM, PLATFORM.targets[0], instance(WHOLE.replace("dev eth0.7", "dev eth01")))

    assert "10.1.0.1/32 dev eth01\n" in conf


def test_the_files_that_are_run_are_brought_and_the_programs_are_needed() -> None:
    assert [script.path for script in scripts_of(instance())] == ["/etc/keepalived/check.sh", "/etc/keepalived/notify.sh"]
    assert programs_of(instance()) == ("/usr/local/bin/stopped",)
    assert devices_of(PLATFORM, PLATFORM.targets[0], instance()) == ("bond0.5", "eth0.7")
    assert users_of(instance()) == ("root",)


def test_a_redirection_is_no_program() -> None:
    with_port = 'vrrp_script chk {\nscript "</dev/tcp/127.0.0.1/443"\n}\nvrrp_script bin {\nscript "killall -0 haproxy"\n}'

    assert programs_of(small("track_script {\nchk\nbin weight 5\n}", top=with_port)) == ("killall",)


@pytest.mark.parametrize(
    ("conf", "said"),
    [
        (small("track_process {\nhaproxy\n}"), ["track_process"]),
        (small("use_vmac vrrp.51"), ["use_vmac"]),
        (small("state MASTER", "nopreempt", "priority 200", "mcast_src_ip 10.0.0.11"), []),
        (small(top="vrrp_sync_group G1 {\ngroup {\nVI_1\nVI_2\n}\n}"), ["vrrp_sync_group G1"]),
        (small(top="vrrp_sync_group G1 {\ngroup {\nVI_2\nVI_3\n}\n}"), []),
        (small(top="vrrp_instance VI_2 {\nvirtual_router_id 52\n}"), ["vrrp_instance VI_2"]),
        (small(top="virtual_server 10.0.0.100 443 {\n}"), ["virtual_server 10.0.0.100 443"]),
        (small(top="static_routes {\n}"), ["static_routes"]),
    ],
)
def test_what_is_not_carried_over_is_known_by_name(conf: Instance, said: list[str]) -> None:
    assert list(not_carried(conf)) == said


def test_settings_of_the_daemon_that_are_left_out_are_known_by_name() -> None:
    assert globals_left_out(instance()) == ("lvs_flush",)


@pytest.mark.parametrize("password", ["s3cret", '"s3 cret"', '"s3{cret"'])
def test_a_configuration_is_shown_without_its_password_and_without_arguments(password: str) -> None:
    conf = keepalived_conf(PLATFORM, PLATFORM.targets[1], instance(WHOLE.replace('"s3cret"', password)))

    assert password in conf
    assert "s3" not in masked(conf)
    assert "t0psecret" not in masked(conf)
    assert 'notify_master "/etc/keepalived/notify.sh ...' in masked(conf)
    assert "notify_stop /usr/local/bin/stopped ..." in masked(conf)


def test_an_instance_without_authentication_is_written_without() -> None:
    assert "auth" not in keepalived_conf(PLATFORM, PLATFORM.targets[1], small())


def test_an_instance_does_not_show_its_password() -> None:
    assert "s3cret" not in repr(instance())
