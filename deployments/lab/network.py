"""The lab's wire: one bridge on this box, one network namespace and cable for each machine.

Made by hand rather than by podman's network back end: the machines' addresses, MACs and cable names are then fixed, a
killed lab leaves no address reservation behind, and `ip link set lab-vm-1 down` pulls a cable.
"""

from __future__ import annotations

from pathlib import Path

from deployments.lab.machines import GATEWAY, NOWHERE, Machine
from deployments.lab.shell import LabError, attempt, run

BRIDGE, SECOND = "lab0", "lab1"


def ensure_bridge() -> None:
    """Both bridges are up; the first holds the box's own address, and lets VRRP and pod traffic through."""
    for bridge in (BRIDGE, SECOND):
        if not Path(f"/sys/class/net/{bridge}").exists():
            run("ip", "link", "add", bridge, "type", "bridge")
        run("ip", "link", "set", bridge, "up")
    run("ip", "address", "replace", f"{GATEWAY}/24", "dev", BRIDGE)
    # While the bridge snoops, VRRP's multicast does not cross it: every machine would elect itself.
    Path(f"/sys/class/net/{BRIDGE}/bridge/multicast_snooping").write_text("0")
    # A box with Docker drops what it does not know, and bridged packets pass its FORWARD chain.
    accept = ("FORWARD", "-i", BRIDGE, "-o", BRIDGE, "-j", "ACCEPT")
    if attempt("iptables", "-w", "-C", *accept).returncode != 0:
        run("iptables", "-w", "-I", *accept)


def remove_bridge() -> None:
    """Neither the bridge nor its firewall rule is left."""
    attempt("iptables", "-w", "-D", "FORWARD", "-i", BRIDGE, "-o", BRIDGE, "-j", "ACCEPT")
    for bridge in (BRIDGE, SECOND):
        if Path(f"/sys/class/net/{bridge}").exists():
            run("ip", "link", "delete", bridge)


def namespace(container: str) -> Path:
    """The file by which that container's network is named."""
    return Path("/run/netns") / container


def plug(machine: Machine) -> None:
    """A fresh network namespace with eth0 and eth1 on the two bridges. What an earlier life left is gone."""
    unplug(machine)
    name = machine.container
    run("ip", "netns", "add", name)
    cable = ("link", "add", name, "type", "veth", "peer", "name", "eth0", "address", machine.mac, "netns", name)
    run("ip", *cable)
    run("ip", "link", "set", name, "master", BRIDGE, "up")
    run("ip", "link", "add", _second(machine), "type", "veth", "peer", "name", "eth1", "netns", name)
    run("ip", "link", "set", _second(machine), "master", SECOND, "up")
    # k3s starts on no machine without a default route; where this one leads nobody answers.
    inside = (
        f"link set lo up\naddress add {machine.address}/24 dev eth0\nlink set eth0 up\n"
        f"address add {machine.second_address}/24 dev eth1\nlink set eth1 up\n"
        f"route add default via {NOWHERE} dev eth0\n"
    )
    run("ip", "-n", name, "-batch", "-", stdin=inside)


def addresses(machine: Machine) -> set[str]:
    """The IPv4 addresses that the machine's eth0 has now."""
    asked = attempt("ip", "-n", machine.container, "-o", "-4", "address", "show", "dev", "eth0")
    return {line.split()[3].split("/")[0] for line in asked.stdout.splitlines()}


def unplug(machine: Machine) -> None:
    """No namespace and no cable of the machine is left."""
    name = machine.container
    if namespace(name).exists():
        run("ip", "netns", "delete", name)
    for cable in (name, _second(machine), f"slow-{machine.name}"):
        if Path(f"/sys/class/net/{cable}").exists():
            attempt("ip", "link", "delete", cable)
    if Path(f"/sys/class/net/{name}").exists():
        raise LabError(f"the cable {name} can't be removed; type: ip link delete {name}")


def _second(machine: Machine) -> str:
    return f"{machine.container}-2"
