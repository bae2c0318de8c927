"""keepalived.conf of the targets: the holder's, but for what is one machine's own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from configs.hosts import Target
from configs.platform import Platform
from configs.rendering import rendered
from tasks.vip.grammar import Statement, shown
from tasks.vip.instance import Instance, Script

PASSWORD = re.compile(r'(auth_pass\s+)("[^"]*"|\S+)')
COMMAND = re.compile(r'^(\s*(?:script|notify\w*)\s+"?[^\s"]+).*$', re.MULTILINE)
PROGRAM = re.compile(r"[\w./+-]+")  # other first words are a shell's, as in </dev/tcp/127.0.0.1/443
# A machine's own, or how it decides between itself and the others.
OWN = frozenset(("state", "interface", "priority", "nopreempt", "preempt", "preempt_delay", "mcast_src_ip", "debug"))
_CARRIED = """
    accept advert_int authentication dont_track_primary down_timer_adverts garp_lower_prio_delay garp_lower_prio_repeat
    garp_master_delay garp_master_refresh garp_master_refresh_repeat garp_master_repeat higher_prio_send_advert kernel_rx_buf_size
    lower_prio_no_advert mcast_dst_ip native_ipv6 no_accept notify notify_backup notify_fault notify_master
    notify_master_rx_lower_pri notify_priority_changes notify_stop promote_secondaries skip_check_adv_addr smtp_alert strict_mode
    thread_timer_expired timer_expired_backup track_interface track_script v3_checksum_as_v2 version virtual_ipaddress
    virtual_ipaddress_excluded virtual_router_id virtual_routes virtual_rules
"""
CARRIED = frozenset(_CARRIED.split())
GLOBALS = re.compile(
    r"script_user|enable_script_security|dynamic_interfaces|max_auto_priority|nftables\w*|notification_email\w*|smtp_\w+"
    r"|no_email_faults|use_symlink_paths|v3_checksum_as_v2|vrrp_(?!startup_delay|notify_fifo|process_name|cpu_affinity)\w+"
)
QUIET = frozenset(("router_id", "vrrp_startup_delay"))  # a machine's name, and when it begins: nobody misses them
WITH_DEVICES = frozenset(("virtual_ipaddress", "virtual_ipaddress_excluded", "virtual_routes", "virtual_rules", "track_interface"))
OTHERS = frozenset(("vrrp_instance", "vrrp_sync_group", "virtual_server", "static_ipaddress", "static_routes", "static_rules"))


def keepalived_conf(platform: Platform, target: Target, instance: Instance) -> str:
    """The configuration of one target. It contains the password: for the daemon's own file only."""
    device = platform.interface_of(target)
    kept = tuple(one for one in instance.globals if GLOBALS.fullmatch(one.keyword))
    before = (*(Statement("global_defs", kept) for _ in range(bool(kept))), *tracking(instance))
    return rendered(
        "keepalived.conf.j2",
        before=[shown((block,)) for block in before],
        head=instance.own.text,
        interface=device,
        priority=platform.keepalived.first_priority - 10 * platform.vip_holders.index(target),
        carried=shown(tuple(_moved(one, instance.interface, device) for one in carried(instance)), depth=1),
    )


def carried(instance: Instance) -> tuple[Statement, ...]:
    """The statements of the holder's instance that every peer has."""
    return tuple(one for one in instance.own.block or () if one.keyword in CARRIED)


def tracking(instance: Instance) -> tuple[Statement, ...]:
    """The vrrp_script blocks that the instance tracks."""
    tracked = {line.keyword for block in instance.own.each("track_script") for line in block.block or ()}
    return tuple(top for top in instance.whole if top.keyword == "vrrp_script" and top.value in tracked)


def scripts_of(instance: Instance) -> tuple[Script, ...]:
    """The script files that what is carried runs."""
    run = {path for command in _commands(instance) for path in re.findall(r"/[^\s\"'{}]+", command.text)}
    return tuple(script for script in instance.scripts if script.path in run)


def programs_of(instance: Instance) -> tuple[str, ...]:
    """What is carried runs these, and a target must have them itself."""
    brought = {script.path for script in scripts_of(instance)}
    named = {word for one in _commands(instance) for word in one.value.split()[:1] if PROGRAM.fullmatch(word)}
    return tuple(sorted(named - brought))


def devices_of(platform: Platform, target: Target, instance: Instance) -> tuple[str, ...]:
    """The interfaces that the target's configuration names."""
    device = platform.interface_of(target)
    named = {device}
    for one in (_moved(one, instance.interface, device) for one in carried(instance)):
        for line in one.block or ():
            named.update(re.findall(r"\bdev\s+(\S+)", line.text))
            named.update((line.keyword,) if one.keyword == "track_interface" else ())
    return tuple(sorted(named))


def users_of(instance: Instance) -> tuple[str, ...]:
    """The users that scripts run as."""
    blocks = (*tracking(instance), Statement("global_defs", instance.globals))
    return tuple(sorted({one.value for block in blocks for one in block.block or () if one.keyword in ("user", "script_user")}))


def not_carried(instance: Instance) -> Iterator[str]:
    """What the holder's file has and the targets' will not, by its keyword and name."""
    for one in instance.own.block or ():
        if one.keyword not in CARRIED | OWN | {"unicast_peer", "unicast_src_ip"}:
            yield one.keyword
    for top in instance.whole:
        if top.keyword in OTHERS and top != instance.own and (top.keyword != "vrrp_sync_group" or _groups(top, instance)):
            yield " ".join(top.words[:3])


def globals_left_out(instance: Instance) -> tuple[str, ...]:
    """Settings of its global_defs that are not carried over."""
    return tuple(one.keyword for one in instance.globals if not GLOBALS.fullmatch(one.keyword) and one.keyword not in QUIET)


def masked(conf: str) -> str:
    """A keepalived.conf that can be shown: without its password, and without what its commands are given."""
    return COMMAND.sub(r"\1 ...", PASSWORD.sub(r"\1**********", conf))


def _groups(group: Statement, instance: Instance) -> bool:
    return any(instance.own.value in line.words for members in group.each("group") for line in members.block or ())


def _commands(instance: Instance) -> Iterator[Statement]:
    yield from (one for one in carried(instance) if one.keyword.startswith("notify") and one.keyword != "notify_priority_changes")
    yield from (one for block in tracking(instance) for one in block.each("script"))


def _moved(statement: Statement, old: str, new: str) -> Statement:
    """With the target's interface where the holder has its own, also in the labels of addresses."""
    if statement.keyword not in WITH_DEVICES or not old:
        return statement
    device = re.compile(rf"(?<![\w.:-]){re.escape(old)}(?=[\s:]|$)")
    lines = (replace(line, text=device.sub(new, line.text)) for line in statement.block or ())
    return replace(statement, block=tuple(lines))
