"""The state of the whole lab as data, so that two ends of a migration can be compared."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.lab import world

MACHINES = (*world.SOURCES, *world.TARGETS)
FILES = "/etc/hosts /etc/hostname /etc/profile.d /etc/systemd/system /etc/keepalived /usr/local/bin"


def files(host: str) -> set[str]:
    """What a migration writes, by its content.

    Of etcd's unit without the members that were there when it was written: the order of joining is the machines' own.
    """
    masked = r"sed -E 's/(--initial-cluster )\S+/\1.../'"
    script = f'find {FILES} -type f | sort | while read -r f; do echo "$({masked} "$f" | sha256sum | cut -c1-64) $f"; done'
    return set(world.on(host, script).splitlines())


def units(host: str) -> str:
    return world.on(host, f"systemctl show {' '.join(world.UNITS)} -p Id,ActiveState,UnitFileState")


def the_lab(server: str) -> dict[str, Any]:
    """Members, nodes, units and their files on every machine, workloads, VIP, as the platform with that server has them.

    Nothing that differs between two migrations.
    """
    with ThreadPoolExecutor(4) as pool:
        return {
            "members": world.members(server),
            "nodes": [(name, ready, cordoned) for name, _, ready, cordoned in world.nodes(server)],
            "images": world.images(server),
            "VIP": ["source" if holder in world.SOURCES else "target" for holder in world.vip_holders(MACHINES)],
            "units": dict(zip(MACHINES, pool.map(units, MACHINES), strict=True)),
            "files": dict(zip(MACHINES, pool.map(files, MACHINES), strict=True)),
        }


def differences(found: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
    """Each difference between the two states in words; empty when they are equal."""
    lines = [f"{name}: {found[name]} != {wanted[name]}" for name in wanted if name != "files" and found[name] != wanted[name]]
    for host, names in wanted["files"].items():
        lines += [f"{host}: {line}" for line in sorted(found["files"][host] ^ names)]
    return lines
