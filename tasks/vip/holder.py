"""Which machines hold the VIP."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from blocks.ports import Host
from configs.platform import Platform


def holds(host: Host, platform: Platform) -> bool:
    """Whether the VIP is an address of this machine."""
    script = f"ip -4 -o addr show | grep -qF ' {platform.vip}/'"
    return (
        host.run(script, what="looking for the VIP", timeout_s=platform.timeouts.command_s, check=False).exit_code == 0
    )


def holders(hosts: Collection[Host], platform: Platform) -> list[Host]:
    """All hosts that hold the VIP; more than one is a split brain."""
    return [host for host in hosts if holds(host, platform)]


def only_holder(hosts: Mapping[str, Host], platform: Platform) -> str | None:
    """The one host that holds the VIP; None while none or several do."""
    found = holders(list(hosts.values()), platform)
    return found[0].name if len(found) == 1 else None
