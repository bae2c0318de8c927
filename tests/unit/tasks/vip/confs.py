"""keepalived.conf of holders."""

from __future__ import annotations

from ipaddress import IPv4Address

from tasks.vip.grammar import Statement, parse
from tasks.vip.instance import Instance, Script

VIP = IPv4Address("10.0.0.100")
WHOLE = """\
global_defs {
    router_id vm1
    script_user root
    enable_script_security
    vrrp_garp_master_refresh 60
    vrrp_startup_delay 5
    lvs_flush
}
vrrp_script chk {
    script "/etc/keepalived/check.sh --port 80"
    interval 2
}
vrrp_script other {
    script "/etc/keepalived/other.sh"
}
vrrp_instance VI_1 {
    state MASTER
    interface eth0
    mcast_src_ip 10.0.0.11
    virtual_router_id 51
    priority 100
    advert_int 1
    preempt_delay 5
    garp_master_refresh 60
    authentication {
        auth_type PASS
        auth_pass "s3cret"
    }
    virtual_ipaddress {
        10.0.0.100/24 dev eth0 label eth0:1
        10.0.0.101/24
    }
    virtual_ipaddress_excluded {
        10.1.0.1/32 dev eth0.7
    }
    virtual_routes {
        192.0.2.0/24 via 10.0.0.1 dev eth0
    }
    track_interface {
        eth0 weight -20
    }
    track_script {
        chk
    }
    notify_master "/etc/keepalived/notify.sh --token t0psecret" root
    notify_stop /usr/local/bin/stopped
}
"""
SCRIPTS = tuple(
    Script(path, "755", "IyEvYmluL3NoCg==") for path in ("/etc/keepalived/check.sh", "/etc/keepalived/notify.sh", "/etc/other.sh")
)


def instance_with(vip: IPv4Address, whole: tuple[Statement, ...]) -> Statement | None:
    """The vrrp_instance that has this address."""
    instances = (top for top in whole if top.keyword == "vrrp_instance")
    return next((one for one in instances if str(vip) in Instance(one, whole).all_addresses), None)


def instance(conf: str = WHOLE) -> Instance:
    whole = parse(conf)
    own = instance_with(VIP, whole)
    assert own is not None
    return Instance(own, whole, SCRIPTS)


def small(*lines: str, top: str = "") -> Instance:
    """An instance of these lines beside its VRID and its VIP."""
    own = "\n".join(("virtual_router_id 51", *lines, "virtual_ipaddress {\n10.0.0.100/24\n}"))
    return instance(f"{top}\nvrrp_instance VI_1 {{\n{own}\n}}\n")
