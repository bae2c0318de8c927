"""The state of one machine, read in one round trip."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from deployments.lab.machines import VIP, Machine
from deployments.lab.root_shell import query

UNITS = ("etcd", "k3s", "k3s-agent", "keepalived", "docker")
NODE = r'{range .items[*]}{.metadata.name},{.status.addresses[0].address},{.status.conditions[?(@.type=="Ready")].status};{end}'
SCRIPT = f"""
say() {{ printf '%s\\t%s\\n' "$1" "$(cat)"; }}
hostname | say hostname
systemctl is-system-running | say system
for unit in {" ".join(UNITS)}; do systemctl is-active $unit | say unit-$unit; done
ip -o -4 address show dev eth0 | grep -cF ' {VIP}/' | say vip
if systemctl -q is-active etcd; then . /etc/lab/etcdctl; etcdctl --command-timeout=3s member list -w json 2> /dev/null | say etcd; fi
if systemctl -q is-active k3s; then k3s kubectl --request-timeout=5s get nodes -o jsonpath='{NODE}' 2> /dev/null | say nodes; fi
"""


@dataclass(frozen=True)
class Node:
    """A node as an API server knows it."""

    name: str
    address: str
    ready: bool


@dataclass
class State:
    """A machine now; of one that is off only `power` is known."""

    power: bool
    hostname: str = ""
    system: str = ""
    units: dict[str, str] = field(default_factory=dict)
    vip: bool = False
    etcd_members: list[dict[str, object]] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)


def read(machine: Machine, power: bool) -> State:
    """The machine's state; what it doesn't answer within 20 s stays empty."""
    if not power:
        return State(power=False)
    answers = dict(line.split("\t", 1) for line in query(machine, SCRIPT).splitlines() if "\t" in line)
    return State(
        power=True,
        hostname=answers.get("hostname", ""),
        system=answers.get("system", "no answer"),
        units={unit: answers.get(f"unit-{unit}", "unknown") for unit in UNITS},
        vip=answers.get("vip") == "1",
        etcd_members=_members(answers.get("etcd", "")),
        nodes=_nodes(answers.get("nodes", "")),
    )


def _members(text: str) -> list[dict[str, object]]:
    listed = json.loads(text)["members"] if text else []
    return [
        {
            "id": f"{member['ID']:x}",
            "name": member.get("name", ""),
            "peers": member.get("peerURLs", []),
            "clients": member.get("clientURLs", []),
            "learner": member.get("isLearner", False),
        }
        for member in listed
    ]


def _nodes(text: str) -> list[Node]:
    rows = [row.split(",") for row in text.split(";") if row.count(",") == 2]
    return [Node(name, address, ready == "True") for name, address, ready in rows]
