"""The state of the whole lab as data, so that two ends of a migration can be compared."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.lab import world

MACHINES = (*world.SOURCES, *world.TARGETS)
FILES = "/etc/hosts /etc/hostname /etc/profile.d /etc/systemd/system /etc/keepalived /usr/local/bin"


def files(host: str) -> set[str]:
    """What a migration writes, by its content."""
    return set(world.on(host, f"find {FILES} -type f -print0 | sort -z | xargs -0 sha256sum").splitlines())


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


def quorum_is_up() -> bool:
    """Whether a majority of the voters is healthy, by their own word."""
    for host in (*world.SOURCES, *world.TARGETS):
        if world.etcd_healthy(host):
            voters = [name for name, _, learner in world.members(host) if not learner]
            names = {f"etcd-node-{number}": f"vm-{number}" for number in (1, 2, 3)}
            up = [name for name in voters if world.etcd_healthy(names.get(name, name))]
            return len(up) > len(voters) // 2
    return False
