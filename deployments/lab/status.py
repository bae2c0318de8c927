"""The whole lab's state, as a table for people and as JSON for programs."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from rich.table import Table

from deployments.lab import power, probe
from deployments.lab.machines import MACHINES, VIP
from deployments.lab.probe import Node, State
from deployments.lab.steps import each


def read() -> dict[str, State]:
    """Every machine's state by its name, all read in parallel."""
    running = power.running()
    return dict(each(MACHINES, lambda m: (m.name, probe.read(m, m.container in running))))


def as_json(states: dict[str, State]) -> dict[str, Any]:
    """Machines with the nodes that any API server has at their address, the VIP's holders, etcd's members."""
    machines = {}
    for machine in MACHINES:
        state = asdict(states[machine.name])
        state["power"] = "on" if state["power"] else "off"
        nodes = [{"name": node.name, "ready": node.ready} for node in _nodes_at(states, machine.address)]
        machines[machine.name] = state | {"address": machine.address, "role": machine.role, "nodes": nodes}
    return {
        "machines": machines,
        "vip": {"address": VIP, "holders": [name for name, state in states.items() if state.vip]},
        "etcd": {name: state.etcd_members for name, state in states.items() if state.etcd_members},
    }


def as_table(states: dict[str, State]) -> Table:
    """One line a machine."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("machine", "address", "power", "hostname", "system", *probe.UNITS, "node", "vip"):
        table.add_column(column)
    for machine in MACHINES:
        state = states[machine.name]
        nodes = ", ".join(f"{n.name} {'Ready' if n.ready else 'NotReady'}" for n in _nodes_at(states, machine.address))
        units = [_paint(state.units.get(unit, "")) for unit in probe.UNITS]
        table.add_row(
            machine.name, machine.address, "on" if state.power else "[red]off[/red]", state.hostname,
            _paint(state.system), *units, nodes, VIP if state.vip else "",
        )  # fmt: skip
    return table


def etcd_line(states: dict[str, State]) -> str:
    """etcd's members by name, or that the machines disagree about them."""
    lists = {name: sorted(str(m["name"]) for m in state.etcd_members) for name, state in states.items()}
    answered = {name: members for name, members in lists.items() if members}
    if not answered:
        return "etcd: no member answers"
    first = next(iter(answered.values()))
    agreed = all(members == first for members in answered.values())
    return f"etcd: {' '.join(first)}" if agreed else f"etcd: [red]member lists differ[/red] {answered}"


def _nodes_at(states: dict[str, State], address: str) -> list[Node]:
    known = {node for state in states.values() for node in state.nodes if node.address == address}
    return sorted(known, key=lambda node: (node.name, node.ready))


def _paint(word: str) -> str:
    color = {"active": "green", "running": "green", "failed": "red", "degraded": "red", "inactive": "dim"}.get(word)
    return f"[{color}]{word}[/{color}]" if color else word
