"""What a configuration needs to know of the lab, as YAML."""

from __future__ import annotations

from deployments.lab import bundle, initial, keys
from deployments.lab.machines import API_PORT, MACHINES, SOURCES, SSH_PORT, VIP, VRID


def text() -> str:
    """Hosts, SSH access, the virtual address, and the platform's URLs. No secrets: `lab secrets` prints those."""
    hosts = "".join(
        f"  - {{name: {m.name}, address: {m.address}, role: {m.role}, container: {m.container}}}\n" for m in MACHINES
    )
    etcd = ", ".join(f"http://{m.address}:2379" for m in SOURCES)
    return f"""\
hosts:
{hosts}ssh:
  user: root
  port: {SSH_PORT}
  key: {keys.CLIENT_KEY}
  known_hosts: {keys.KNOWN_HOSTS}
vip: {{address: {VIP}, prefix: 24, interface: eth0, vrid: {VRID}}}
urls:
  web: http://{VIP}:{initial.WEB}/
  orders: http://{VIP}:{initial.ORDERS}/
  api: https://{VIP}:{API_PORT}
  mysql: {VIP}:{initial.MYSQL}
  etcd: [{etcd}]
bundle: {"real" if bundle.real() else "stand-in"}
"""
