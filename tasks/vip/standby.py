"""A target becomes a standby for the VIP: it hears the holder before it speaks, could take the VIP, and leaves it where it is."""

from __future__ import annotations

import base64
from collections.abc import Collection, Mapping
from shlex import quote
from typing import NoReturn

from blocks.errors import VerificationError
from blocks.ports import Host
from configs.hosts import Target
from configs.platform import Platform
from tasks.engine.check import check
from tasks.engine.finding import Checked, Findings, FindingsError
from tasks.engine.outcome import Outcome, changed, planned, unchanged
from tasks.engine.run import Run
from tasks.engine.step import step
from tasks.engine.waiting import stays, wait_until
from tasks.shell.files import diff_of_ours, keep_foreign, read_file, write_file
from tasks.shell.script import STRICT, facts, parse_facts
from tasks.shell.system import MANAGER, how_to_install
from tasks.shell.units import refuse_masked
from tasks.vip.adverts import NEITHER, announce, listening, listens_for, parse_adverts, why_discarded
from tasks.vip.conf import devices_of, keepalived_conf, masked, programs_of, scripts_of, users_of
from tasks.vip.holder import QUESTIONS, holders, holds, is_off_duty, only_holder, the_holder
from tasks.vip.instance import CONF, Instance, read_instance

UNHEARD = "vip-adverts-unheard"
FIREWALL = "firewall-cmd --add-protocol=vrrp && firewall-cmd --permanent --add-protocol=vrrp, or iptables -I INPUT -p 112 -j ACCEPT"


@check("check standby")
def check_standby(
    host: Host, platform: Platform, target: Target, hosts: Mapping[str, Host], opening: Collection[str] = ()
) -> Checked:
    """The target hears the adverts of the VIP's holder through its own firewall, and has what the holder's instance names.

    One of `opening` opens its firewall later, and listens again before its keepalived starts.
    """
    found, holding = Findings(host.name), holders(list(hosts.values()), platform)
    if len(holding) != 1:
        return found.checked("not asked: not exactly one machine holds the VIP")
    if holding[0].name == host.name:
        return found.checked("it holds the VIP")
    instance = read_instance(holding[0], platform)
    _judge_target(found, host, platform, target, instance)
    if host.name in opening and UNHEARD in (one.id for one in found.found):
        found.found = [one for one in found.found if one.id != UNHEARD]
        found.note("firewall-opens-later", "it listens for adverts again once its firewall is open")
    return found.checked(f"hears {holding[0].name}")


@step("set up keepalived")
def ensure_standby(run: Run, host: Host, platform: Platform, target: Target, hosts: Mapping[str, Host]) -> Outcome:
    """Make `target` a keepalived BACKUP with the holder's instance that hears its adverts and, not preempting, leaves the VIP there.

    Undo: systemctl disable --now keepalived.
    """
    # probe
    holder = the_holder(list(hosts.values()), platform)
    instance = read_instance(holder, platform)
    wanted = keepalived_conf(platform, target, instance)
    before, lacking, state = _read(host, platform, wanted, instance)
    if not lacking:
        return unchanged("keepalived runs as configured")
    refuse_masked(host.name, "keepalived", state)
    diffs = (diff_of_ours(CONF, masked(before), masked(wanted)),)
    if run.dry_run:
        return planned("keepalived becomes a BACKUP", diffs=diffs)
    if holder.name != host.name:
        found = Findings(host.name)
        _judge_target(found, host, platform, target, instance)
        if found.found:
            raise FindingsError(found.found)

    # act
    with run.acting(host.name, "starting keepalived as BACKUP"):
        host.run(_starting(run.id, wanted, instance), what="starting keepalived", timeout_s=platform.timeouts.command_s)

    # verify
    # A backup that hears no advert for three intervals plus its skew makes itself master (RFC 3768).
    master_down_s = 3 * instance.advert_int + 2
    if holder.name != host.name and not stays(
        f"{host.name} is BACKUP", lambda: not holds(host, platform), for_s=master_down_s
    ):
        _take_back(run, host, platform, hosts)
    _, lacking, _ = _read(host, platform, wanted, instance)
    if lacking:
        raise VerificationError(
            f"{host.name}: keepalived was started and could not take the VIP: {lacking}: a tracked script fails there or a tracked "
            "interface is down: journalctl -u keepalived",
            id="vip-standby-faulty",
        )
    return changed(f"keepalived is a BACKUP and hears {holder.name}", diffs=diffs)


def _read(host: Host, platform: Platform, wanted: str, instance: Instance) -> tuple[str, str, str]:
    """keepalived.conf as it is; what lacks for `host` to be a standby, nothing when it is one; and its unit's state."""
    scripts = scripts_of(instance)
    each = f"for f in {_quoted(tuple(script.path for script in scripts))}"
    question = facts(
        {
            "conf": read_file(CONF),
            "mode": f"stat -c '%a %u' {CONF}",
            "scripts": each + '; do test ! -e "$f" || printf "%s %s %s\\n" "$(stat -c %a "$f")" "$(base64 -w0 <"$f")" "$f"; done',
            **QUESTIONS,
        }
    )
    said = parse_facts(
        host.run(question, what="reading keepalived's configuration", timeout_s=platform.timeouts.command_s).stdout
    )
    before = said["conf"] + "\n" if said["conf"] else ""
    has = set(said["scripts"].splitlines())
    if before != wanted or said["mode"] != "600 0":
        return before, f"{CONF} is another one", said["state"]
    if any(f"{script.mode} {script.encoded} {script.path}" not in has for script in scripts):
        return before, "a script is another one", said["state"]
    return before, is_off_duty(said), said["state"]


def _starting(run_id: str, wanted: str, instance: Instance) -> str:
    """Shell: stopped first, so that a run that is killed here leaves no keepalived with another file than it has read."""
    files = [(script.path, base64.b64decode(script.encoded), script.mode) for script in scripts_of(instance)]
    written = [keep_foreign(path, run_id) + write_file(path, text, mode) for path, text, mode in files]
    return (
        "systemctl stop keepalived >/dev/null 2>&1 || true\n"
        + STRICT
        + "".join(written)
        + keep_foreign(CONF, run_id)
        + write_file(CONF, wanted, "0600")
        + "systemctl enable keepalived >/dev/null 2>&1\nsystemctl restart keepalived\n"
    )


def _judge_target(found: Findings, host: Host, platform: Platform, target: Target, instance: Instance) -> None:
    """Whether it hears the holder and has what is named, asked in one round trip of three advert intervals."""
    device = platform.interface_of(target)
    listed = {
        "interface": _lacking(devices_of(platform, target, instance), 'ip -o link show dev "$n"'),
        "user": _lacking(users_of(instance), 'id -u "$n"'),
        "command": _lacking(programs_of(instance), 'command -v "$n"'),
    }
    question = facts({**listed, "heard": listening(device, instance), "manager": MANAGER})
    timeout_s = platform.timeouts.command_s + listens_for(instance)
    said = parse_facts(host.run(question, what="listening for VRRP adverts", timeout_s=timeout_s).stdout)
    for kind in listed:
        if said[kind]:
            found.refuse(
                "vip-target-lacks",
                f"no {kind} {', '.join(said[kind].splitlines())}, which the holder's {CONF} names",
                "see targets[].interface" if kind == "interface" else "set it up there, as on the holder",
            )
    if said["heard"] == NEITHER:
        what = f"neither python nor perl is there, so adverts of VRID {instance.virtual_router_id} can't be listened for"
        found.refuse("vip-listener-missing", what, how_to_install("python3", said["manager"]), final=True)
        return
    _judge_adverts(found, device, instance, said["heard"])


def _lacking(names: tuple[str, ...], command: str) -> str:
    return f'for n in {_quoted(names)}; do {command} >/dev/null || echo "$n"; done'


def _judge_adverts(found: Findings, device: str, instance: Instance, answer: str) -> None:
    """Final where nothing is heard: a keepalived that is started there makes itself a second master."""
    vrid, adverts = instance.virtual_router_id, parse_adverts(answer)
    reasons = dict.fromkeys((advert.source, "; ".join(why_discarded(advert, instance))) for advert in adverts)
    foreign = "; ".join(f"{source} has {why}" for source, why in reasons if why)
    if not adverts:
        error = "".join(f": {line}" for line in answer.splitlines()[-1:])
        what = f"no VRRP adverts of VRID {vrid} heard on {device} within {listens_for(instance):g} s{error}"
        remedy = f"let protocol 112 and multicast to {instance.group} through to it, in its own firewall: {FIREWALL}"
        found.refuse("vip-adverts-unheard", what, remedy, final=True)
    elif all(why for _, why in reasons):
        what = f"the adverts of VRID {vrid} heard on {device} are others than the holder's configuration says: {foreign}"
        found.refuse("vip-adverts-differ", what, "systemctl reload keepalived on the holder", final=True)
    elif foreign:
        what = f"another router on this network uses VRID {vrid}: {foreign}"
        found.refuse("vip-vrid-foreign", what, "give it another VRID")


def _take_back(run: Run, host: Host, platform: Platform, hosts: Mapping[str, Host]) -> NoReturn:
    """Stop keepalived again; the true holder, which may not have noticed, announces the VIP to neighbours and routers."""
    with run.acting(host.name, "stopping keepalived again", undoing=True):
        host.run("systemctl disable --now keepalived", what="stopping keepalived again")
        name = wait_until(
            f"exactly one host holds {platform.vip} again",
            lambda: only_holder(hosts, platform),
            timeout_s=platform.timeouts.vip_s,
            id="vip-not-moved",
        )
        instance = read_instance(hosts[name], platform)
        announced = announce(hosts[name], instance, timeout_s=platform.timeouts.command_s)
    raise VerificationError(
        f"{host.name}: keepalived took the VIP though another host holds it, and is stopped again; "
        + (
            f"{name} has announced {platform.vip} by gratuitous ARP: "
            if announced
            else f"on {name} type arping -U -c 3 -I {instance.present[str(platform.vip)]} {platform.vip}: "
        )
        + "journalctl -u keepalived on both",
        id="vip-taken",
    )


def _quoted(names: tuple[str, ...]) -> str:
    return " ".join(map(quote, names))
