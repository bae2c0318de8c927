"""The virtual address, as the machine's keepalived and the cluster's own settings have it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address

from tasks.draft.machine import SourceMachine
from tasks.vip.instance import Instance

OF_CONSOLE = "common.env.ENV_GLUSTERFS_NODE_VIP"


@dataclass(frozen=True)
class Vip:
    """What is known of it. Without an address a person has to choose, or to look; `remarks` are what there is to choose from."""

    address: str | None
    virtual_router_id: int | None
    interface: str | None
    remarks: tuple[str, ...]


def find_vip(machine: SourceMachine) -> Vip:
    """The only address that keepalived holds; of several, the only one that others know: API servers' certificates, then the console."""
    found = list(_addresses(machine))
    named = [
        {value for name, value in machine.server if name == "--tls-san"},
        {machine.release.values.get(OF_CONSOLE, "")} if machine.release else set(),
    ]
    chosen = found
    for known in named:
        chosen = [one for one in chosen if one[0] in known] or chosen
    remarks = tuple(_described(address, instance) for address, instance in found) if len(found) > 1 else ()
    devices = {instance.interface for _, instance in chosen}
    interface = devices.pop() if len(devices) == 1 else None
    if len(chosen) != 1:
        return Vip(None, None, interface or None, remarks or (machine.no_instance,))
    address, instance = chosen[0]
    router = instance.virtual_router_id
    return Vip(address, int(router) if router.isdigit() else None, interface or None, remarks)


def _addresses(machine: SourceMachine) -> Iterator[tuple[str, Instance]]:
    for instance in machine.instances:
        for address in instance.all_addresses:
            try:
                yield str(IPv4Address(address)), instance
            except ValueError:  # IPv6
                continue


def _described(address: str, instance: Instance) -> str:
    router, device = instance.virtual_router_id or "none", instance.interface or "none"
    return f"{address}: {instance.own.text}, virtual_router_id {router}, interface {device}"
