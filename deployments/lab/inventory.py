"""What a configuration needs to know of the lab, as YAML."""

from __future__ import annotations

from pathlib import Path

import yaml

from deployments.lab import bundle, etcd_tls, initial, keys, lake
from deployments.lab.machines import API_PORT, MACHINES, SOURCES, VIP, VRID

CONFIG = Path(__file__).parents[2] / "configs/lab.yaml"


def config() -> str:
    """The platform's configuration as the lab is switched: configs/lab.yaml, where etcd's certificates are, and whether bricks move."""
    whole = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    tls, moving = etcd_tls.config(), lake.config()
    etcd = {**whole["etcd"], **({"tls": tls} if tls else {})}
    backup = {**whole["backup"], **({"lake": moving} if moving else {})}
    return yaml.safe_dump({**whole, "etcd": etcd, "backup": backup}, sort_keys=False)


def text() -> str:
    """Hosts, SSH access, the virtual address, and the platform's URLs. No secrets: `lab secrets` prints those."""
    hosts = "".join(
        f"  - {{name: {m.name}, address: {m.address}, role: {m.role}, container: {m.container}, ssh_port: {m.ssh_port}}}\n"
        for m in MACHINES
    )
    etcd = ", ".join(f"{etcd_tls.scheme()}://{m.address}:2379" for m in SOURCES)
    return f"""\
hosts:
{hosts}ssh:
  user: root
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
