"""The nine machines: their names, addresses and roles. Nothing here touches the box."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal

from deployments.lab.shell import LabError

PREFIX = "10.99.0"
SECOND_PREFIX = "10.98.0"
DOMAIN = "lab.example"
GATEWAY = f"{PREFIX}.1"
NOWHERE = f"{PREFIX}.254"
VIP = f"{PREFIX}.100"
SECOND_VIP = f"{PREFIX}.101"  # of the same VRRP instance; nothing in the lab asks it
VRID = 51
SSH_PORT = 2222
API_PORT = 10443
POD_NETWORK = "10.42"


@dataclass(frozen=True)
class Machine:
    """One machine. Its name on the lab never changes; its own hostname is its own affair."""

    name: str
    octet: int
    role: Literal["source", "target"]

    @property
    def address(self) -> str:
        return f"{PREFIX}.{self.octet}"

    @property
    def second_address(self) -> str:
        """On the second network, as machines with one for storage have."""
        return f"{SECOND_PREFIX}.{self.octet}"

    @property
    def own_name(self) -> str:
        """Its hostname and node name on the new platform; one source has a full one, as many distributions set it."""
        return f"{self.name}.{DOMAIN}" if self.name == "vm-3" else self.name

    @property
    def ssh_port(self) -> int:
        """The runbook's port is that of the physical machines."""
        return 22 if self.role == "source" else SSH_PORT

    @property
    def container(self) -> str:
        return f"lab-{self.name}"

    @property
    def mac(self) -> str:
        """The same over power cycles, so that neighbours' ARP entries stay true."""
        return f"02:0a:63:00:00:{self.octet:02x}"

    @property
    def pods(self) -> str:
        return f"{POD_NETWORK}.{self.octet}.0/24"

    @property
    def pods_gateway(self) -> str:
        return f"{POD_NETWORK}.{self.octet}.1/24"

    @property
    def machine_id(self) -> str:
        return hashlib.md5(f"evenkeel-lab {self.name}".encode(), usedforsecurity=False).hexdigest()


SOURCES = tuple(Machine(f"vm-{n}", 10 + n, "source") for n in (1, 2, 3))
TARGETS = tuple(Machine(f"phys-{n}", 20 + n, "target") for n in (1, 2, 3, 4, 5, 6))
MACHINES = SOURCES + TARGETS


def find(name: str) -> Machine:
    """The machine of that name; an unknown name is refused with the list of known ones."""
    for machine in MACHINES:
        if name in (machine.name, machine.own_name, machine.container):
            return machine
    raise LabError(f"no machine {name!r}; the machines are {' '.join(m.name for m in MACHINES)}")
