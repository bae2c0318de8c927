"""The files that make a blank disk this machine: names, addresses, keys, Docker's network."""

from __future__ import annotations

import json

from deployments.lab import bundle, disks, etcd_tls, firewall, keys, logins
from deployments.lab.machines import MACHINES, SOURCES, TARGETS, Machine

RUNTIME = "/usr/local/lib/lab/runc"
OWN_DATA_ROOT, DATA_ROOT = "phys-3", "/data/docker"  # where docker's files lie on this machine; everywhere else in the usual folder
MASKED = "phys-4"  # its administrator has seen to it that the old platform's keepalived never runs there

# What the targets' old platform called its machines: three of the names are the sources' too.
OLD_NAMES = dict(zip((m.name for m in TARGETS), ("vm-1", "vm-2", "vm-3", "old-4", "old-5", "old-6"), strict=True))
STALE_HOSTS = ("10.99.0.99 vm-1 vm-1.old", "10.99.0.98 phys-2")


def hostname(machine: Machine) -> str:
    """The hostname in the initial state."""
    return OLD_NAMES.get(machine.name, machine.own_name)


def write(machine: Machine) -> None:
    """The machine's own files lie on its disk. It must be off."""
    disks.write(machine, "/etc/hostname", hostname(machine) + "\n")
    disks.write(machine, "/etc/hosts", _hosts(machine))
    disks.write(machine, "/etc/resolv.conf", "# the lab has no name server\n")
    disks.write(machine, "/etc/machine-id", machine.machine_id + "\n", 0o444)
    disks.write(machine, "/etc/lab/routes", _routes(machine))
    disks.write(machine, "/etc/docker/daemon.json", json.dumps(_docker(machine), indent=1) + "\n")
    key = keys.host_key(machine)
    disks.write(machine, "/etc/ssh/ssh_host_ed25519_key", key.read_text(), 0o600)
    disks.write(machine, "/etc/ssh/ssh_host_ed25519_key.pub", key.with_suffix(".pub").read_text())
    if machine.name == MASKED:
        disks.link(machine, "/etc/systemd/system/keepalived.service", "/dev/null")
    firewall.write(machine)
    logins.write(machine)
    for path, content in etcd_tls.of_observers().items():
        disks.write(machine, path, content, 0o600)


def docker_folder(machine: Machine) -> str:
    """Where its docker has its files."""
    return DATA_ROOT if machine.name == OWN_DATA_ROOT else "/var/lib/docker"


def _hosts(machine: Machine) -> str:
    # Debian's installer gives a machine's own name to 127.0.1.1.
    lines = ["127.0.0.1 localhost", f"127.0.1.1 {hostname(machine)}", "::1 localhost ip6-localhost ip6-loopback"]
    if machine.role == "source":
        lines += [f"{m.address} {m.own_name}" for m in SOURCES]
    else:
        lines += [*STALE_HOSTS, *(f"{m.address} {OLD_NAMES[m.name]}" for m in TARGETS[3:])]
    return "\n".join(lines) + "\n"


def _routes(machine: Machine) -> str:
    if bundle.real():
        return ""  # flannel makes its own
    others = (m for m in MACHINES if m is not machine)
    return "".join(f"route replace {m.pods} via {m.address}\n" for m in others)


def _docker(machine: Machine) -> dict[str, object]:
    # A real k3s gives pods their addresses itself, from the same range.
    pods = {} if bundle.real() else _pod_bridge(machine)
    return {
        **pods,
        **({"data-root": DATA_ROOT} if machine.name == OWN_DATA_ROOT else {}),
        "storage-driver": "overlay2",
        "default-runtime": "lab",
        "runtimes": {"lab": {"path": RUNTIME}},
        "log-opts": {"max-size": "5m", "max-file": "2"},
    }


def _pod_bridge(machine: Machine) -> dict[str, object]:
    """Docker's bridge as the pod network; pods keep their own address on the wire, as under a real one."""
    return {"bip": machine.pods_gateway, "ip-masq": False}
