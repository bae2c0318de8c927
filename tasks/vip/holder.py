"""Which machines hold the VIP, and whether a keepalived could take it."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from blocks.ports import Host
from configs.platform import Platform
from tasks.engine.finding import Findings, FindingsError
from tasks.shell.fleet import side_by_side
from tasks.shell.script import facts, parse_facts
from tasks.shell.units import is_on, unit_state

# The words are the same from keepalived 1.2 to 2.4, but for their case.
QUESTIONS = {
    "state": unit_state("keepalived"),
    "role": "journalctl -u keepalived -n 500 --no-pager -o cat | grep -oiE '(entering|transition to) [a-z]+ state' | tail -n1",
}


def holds(host: Host, platform: Platform) -> bool:
    """Whether the VIP is an address of this machine."""
    script = f"ip -4 -o addr show | grep -qF ' {platform.vip}/'"
    return (
        host.run(script, what="looking for the VIP", timeout_s=platform.timeouts.command_s, check=False).exit_code == 0
    )


def holders(hosts: Collection[Host], platform: Platform) -> list[Host]:
    """All hosts that hold the VIP; more than one is a split brain."""
    answers = side_by_side(lambda host: holds(host, platform), hosts)
    return [host for host, it_holds in zip(hosts, answers, strict=True) if it_holds]


def only_holder(hosts: Mapping[str, Host], platform: Platform) -> str | None:
    """The one host that holds the VIP; None while none or several do."""
    found = holders(list(hosts.values()), platform)
    return found[0].name if len(found) == 1 else None


def the_holder(hosts: Collection[Host], platform: Platform) -> Host:
    """The one host that holds the VIP. Raises FindingsError when none or several do."""
    found, holding = Findings("vip"), holders(hosts, platform)
    judge_holders(found, platform, holding)
    if found.found:
        raise FindingsError(found.found)
    return holding[0]


def judge_holders(found: Findings, platform: Platform, holding: Collection[Host]) -> None:
    """Refuse all but exactly one."""
    if not holding:
        found.refuse(
            "vip-no-holder",
            f"{platform.vip} is held by none of the machines, expected exactly one",
            "systemctl status keepalived on each",
            final=True,
        )
    elif len(holding) > 1:
        found.refuse(
            "vip-two-holders",
            f"{platform.vip} is held by {', '.join(host.name for host in holding)}, expected exactly one",
            "systemctl status keepalived on each, let VRRP (protocol 112) through between them",
            final=True,
        )


def is_off_duty(said: Mapping[str, str]) -> str:
    """Why keepalived would not take the VIP, by the answers to QUESTIONS; empty when it would."""
    if not is_on(said["state"]):
        return "keepalived does not run, or is not enabled"
    return "keepalived is in FAULT" if "fault" in said["role"].lower() else ""


def why_not_ready(host: Host, platform: Platform) -> str:
    """Why keepalived on this machine would not take the VIP; empty when it would."""
    answer = host.run(facts(QUESTIONS), what="asking systemd", timeout_s=platform.timeouts.command_s)
    return is_off_duty(parse_facts(answer.stdout))
