"""firewalld on two targets, as their old platform was installed behind it: it lets that one through, and drops the rest.

Both are agents of the old platform; one becomes a server that may hold the VIP, the other an agent.
"""

from __future__ import annotations

from deployments.lab import disks
from deployments.lab.machines import POD_NETWORK, SSH_PORT, Machine

MACHINES = ("phys-2", "phys-5")
UNIT = "/lib/systemd/system/firewalld.service"
ZONES, POLICIES = "/etc/firewalld/zones", "/etc/firewalld/policies"

# The default zone: every interface that is in no other one. The kubelet's port is the old platform's, too.
PUBLIC = f"""<?xml version="1.0" encoding="utf-8"?>
<zone target="DROP">
  <short>Public</short>
  <port port="{SSH_PORT}" protocol="tcp"/>
  <port port="10250" protocol="tcp"/>
</zone>
"""
TRUSTED = f"""<?xml version="1.0" encoding="utf-8"?>
<zone target="ACCEPT">
  <short>Trusted</short>
  <source address="{POD_NETWORK}.0.0/16"/>
</zone>
"""
# dockerd makes this zone where it is missing. Here it stands beforehand, because a policy names it.
DOCKER = """<?xml version="1.0" encoding="utf-8"?>
<zone target="ACCEPT">
  <short>docker</short>
  <interface name="docker0"/>
</zone>
"""
# Pods of other machines are reached by routes here, not by a tunnel: what kube-proxy has masqueraded comes from a node's address.
TO_PODS = """<?xml version="1.0" encoding="utf-8"?>
<policy target="ACCEPT">
  <ingress-zone name="ANY"/>
  <egress-zone name="docker"/>
</policy>
"""


def write(machine: Machine) -> None:
    """Its firewalld's configuration lies on the machine's disk, and it starts with the machine. It must be off."""
    if machine.name not in MACHINES:
        return
    for name, text in (("public", PUBLIC), ("trusted", TRUSTED), ("docker", DOCKER)):
        disks.write(machine, f"{ZONES}/{name}.xml", text)
    disks.write(machine, f"{POLICIES}/to-pods.xml", TO_PODS)
    disks.link(machine, "/etc/systemd/system/multi-user.target.wants/firewalld.service", UNIT)
    disks.link(machine, "/etc/systemd/system/dbus-org.fedoraproject.FirewallD1.service", UNIT)
