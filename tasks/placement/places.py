"""The nodes that pods can move to, as they will be at the drains: targets, joined or not, and nodes that are kept."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from shlex import quote

from blocks.ports import Host, KubeApi, Manifest
from configs.hosts import Role, Target
from configs.platform import Platform
from tasks.k3s.flags import pairs
from tasks.k3s.join import command_line
from tasks.placement.labels import AUTOMATIC, OF_CONTROLLERS, expected_labels
from tasks.placement.selectors import taint_of
from tasks.shell.script import facts, parse_facts

SUFFIXES = {"m": Decimal("0.001"), "": Decimal(1), "k": Decimal(1000), "Ki": Decimal(1024)} | {
    unit: Decimal(1000 if len(unit) == 1 else 1024) ** power
    for power, letter in enumerate("MGTPE", 2)
    for unit in (letter, f"{letter}i")
}
QUANTITY = re.compile(r"([0-9.]+(?:[eE][0-9]+)?)([a-zA-Z]*)")
CPU, MEMORY = "cpu", "memory"
CORDONED = "node.kubernetes.io/unschedulable"
ROLES = "node-role.kubernetes.io/"


@dataclass(frozen=True)
class Place:
    """A node as it will be. What it has of a resource that nobody knows is not in `has`."""

    name: str
    labels: Mapping[str, str]
    taints: tuple[Manifest, ...]
    has: Mapping[str, Decimal]
    missing: frozenset[str] = frozenset()
    """Of the paths that pods mount from their node, those that it has not."""
    joined: bool = True


def quantity(text: str | int | float) -> Decimal:
    """A number as Kubernetes writes it: 500m, 2Gi, 1.5."""
    found = QUANTITY.fullmatch(str(text))
    return Decimal(found[1]) * SUFFIXES.get(found[2], Decimal(1)) if found else Decimal(0)


def future_places(platform: Platform, kube: KubeApi, hosts: Mapping[str, Host], paths: Iterable[str]) -> list[Place]:
    """All nodes that the pods can move to. Every target is asked once, for its size and for these paths."""
    nodes = {node["metadata"]["name"]: node for node in kube.listed("Node")}
    addresses = {node.name: node.address for node in kube.nodes()}
    paths, found = sorted(set(paths)), list[Place]()
    for target in platform.targets:
        said = _asked(hosts[target.name], paths, platform.timeouts.command_s)
        missing = frozenset(said["missing"].splitlines())
        if target.name in nodes and addresses.get(target.name) == str(target.address):
            found.append(_labelled(_of_node(nodes[target.name], missing), target, nodes.values()))
        else:
            has = {CPU: said["cpu"], MEMORY: f"{said['memory']}Ki"}
            known = {name: quantity(value) for name, value in has.items() if quantity(value)}
            found.append(Place(target.name, *_marks(target, platform, list(nodes.values())), known, missing, joined=False))
    return [*found, *(_of_node(nodes[name], frozenset()) for name in platform.keep_nodes if name in nodes)]


def source_places(platform: Platform, kube: KubeApi) -> list[Place]:
    """The nodes that the pods leave, which stay in the cluster, cordoned, until all are drained; not those of lost sources."""
    staying = {source.name for source in platform.sources if not source.lost}
    return [_of_node(node, frozenset()) for node in kube.listed("Node") if node["metadata"]["name"] in staying]


def _asked(host: Host, paths: list[str], timeout_s: float) -> dict[str, str]:
    questions = {
        "cpu": "grep -c ^processor /proc/cpuinfo",
        "memory": "awk '/^MemTotal:/ {print $2}' /proc/meminfo",
        "missing": f'for p in {" ".join(map(quote, paths))}; do test -e "$p" || echo "$p"; done',
    }
    return parse_facts(host.run(facts(questions), what="asking for its size and paths", timeout_s=timeout_s).stdout)


def _of_node(node: Manifest, missing: frozenset[str]) -> Place:
    allocatable = (node.get("status") or {}).get("allocatable") or {}
    has = {name: quantity(allocatable[name]) for name in (CPU, MEMORY) if name in allocatable}
    meta, taints = node["metadata"], node["spec"].get("taints") or ()
    lasting = tuple(taint for taint in taints if taint["key"] == CORDONED or not taint["key"].startswith(OF_CONTROLLERS))
    return Place(meta["name"], meta.get("labels") or {}, lasting, has, missing)


def _labelled(place: Place, target: Target, nodes: Iterable[Manifest]) -> Place:
    """With what it will have once it is labelled: a run that was killed just after the node had joined did not get to that."""
    labels, taints = expected_labels(target, nodes)
    added = (taint for taint in taints if taint not in place.taints)
    return replace(place, labels={**place.labels, **labels}, taints=(*place.taints, *added))


def _marks(target: Target, platform: Platform, nodes: list[Manifest]) -> tuple[dict[str, str], tuple[Manifest, ...]]:
    """Labels and taints of a node that has not joined yet: those that k3s gives to the sources of its role, its flags', the config's."""
    server = target.role is Role.SERVER
    words = command_line(target, (platform.k3s.server_args or ()) if server else platform.k3s.agent_args)
    flags = list(pairs(words))
    labels, taints = expected_labels(target, nodes)
    given = dict(value.partition("=")[::2] for name, value in flags if name == "--node-label")
    tainted = [taint_of(value) for name, value in flags if name == "--node-taint" and value not in target.taints]
    return {**_automatic(target, platform, nodes), **given, **labels}, (*tainted, *taints)


def _automatic(target: Target, platform: Platform, nodes: list[Manifest]) -> dict[str, str]:
    """As on a source; roles are for servers only, and what identifies a machine is the target's own."""
    sources = {source.name for source in platform.sources}
    labels = next((node["metadata"].get("labels") or {} for node in nodes if node["metadata"]["name"] in sources), {})
    found = {key: value for key, value in labels.items() if AUTOMATIC.fullmatch(key)}
    if target.role is Role.AGENT:
        found = {key: value for key, value in found.items() if not key.startswith(ROLES)}
    own = {"hostname": target.name, "internal-ip": str(target.address)}
    return found | {key: own[key.partition("/")[2]] for key in found if key.partition("/")[2] in own}
