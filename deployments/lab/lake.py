"""LAB_LAKE=gluster: the file lake is a GlusterFS volume of three copies, with its bricks on the sources, as in the field.

All nine mount it by FUSE before Docker starts: pods see what is mounted then. glusterd runs on the targets, too, each by itself. The pool
knows its machines by address: the targets' stale hosts files give the sources' names to others.
"""

from __future__ import annotations

import os

from deployments.lab.machines import MACHINES, SOURCES, TARGETS, Machine
from deployments.lab.root_shell import put, query, sh
from deployments.lab.shell import LabError
from deployments.lab.steps import Step, each, wait

VOLUME, MOUNTED = "uap-global", "/mnt/uap-global"
PLACE = "/data/brick"  # a brick is the folder uap in it
SECONDS = 120
SERVERS = ("localhost", *(m.address for m in (*SOURCES, *TARGETS[:3])))
SCRIPT = f"""\
#!/bin/sh
# Mounts the file lake from the first machine that serves it; the volume may be up later than this machine.
while :; do
    for server in {" ".join(SERVERS)}; do
        ! mount -t glusterfs "$server:{VOLUME}" {MOUNTED} || exit 0
    done
    sleep 1
done
"""
UNIT = f"""\
[Unit]
Description=The file lake
After=network.target glusterd.service
Before=docker.service k3s.service k3s-agent.service

[Service]
Type=oneshot
RemainAfterExit=yes
TimeoutStartSec=300
ExecStart=/usr/local/sbin/lab-mount-lake
ExecStop=/bin/umount -l {MOUNTED}

[Install]
WantedBy=multi-user.target
"""


def is_gluster() -> bool:
    """Whether the file lake is a GlusterFS volume; otherwise one folder of this box is mounted on all machines."""
    asked = os.environ.get("LAB_LAKE", "folder")
    if asked not in ("folder", "gluster"):
        raise LabError(f"LAB_LAKE: {asked!r} is neither folder nor gluster")
    return asked == "gluster"


def form() -> str:
    """Names what the file lake is; nothing for the folder."""
    return VOLUME if is_gluster() else ""


def config() -> dict[str, object] | None:
    """What a platform's configuration says of it, as `backup.lake`."""
    return {"move": True} if is_gluster() else None


def install(current: Step) -> None:
    """The volume is started and mounted everywhere, before anything is written to it; nothing where it is a folder."""
    if not is_gluster():
        return
    current.note = "glusterd"
    each(MACHINES, _start)
    first, *others = SOURCES
    current.note = "pool and volume"
    for machine in others:
        sh(first, f"gluster --mode=script peer probe {machine.address}")
    # The first one has a name in the others' lists only once another has probed it.
    sh(others[0], f"gluster --mode=script peer probe {first.address}")
    wait("the pool", lambda: _unconnected(first), SECONDS, current)
    bricks = " ".join(f"{machine.address}:{PLACE}/uap" for machine in SOURCES)
    sh(first, f"gluster --mode=script volume create {VOLUME} replica {len(SOURCES)} {bricks} force")
    sh(first, f"gluster --mode=script volume start {VOLUME}")
    current.note = "mounts"
    each(MACHINES, lambda machine: sh(machine, "systemctl enable --now lab-lake"))
    wait("the file lake", missing, SECONDS, current)


def missing() -> str:
    """What keeps the lake from being whole on all machines; empty when it is, and for the folder."""
    if not is_gluster():
        return ""
    lacking = [m.name for m in MACHINES if not query(m, f"grep ' {MOUNTED} fuse.glusterfs ' /proc/mounts")]
    if lacking:
        return f"file lake on {' '.join(lacking)}"
    healed = query(SOURCES[0], f"gluster --mode=script volume heal {VOLUME} info | grep -c '^Number of entries: 0$'").strip()
    return "" if healed == str(len(SOURCES)) else "the file lake's copies"


def _start(machine: Machine) -> None:
    put(machine, "/usr/local/sbin/lab-mount-lake", SCRIPT, "0755")
    put(machine, "/etc/systemd/system/lab-lake.service", UNIT)
    sh(machine, f"mkdir -p {PLACE} {MOUNTED}; systemctl daemon-reload; systemctl enable --now glusterd")


def _unconnected(machine: Machine) -> str:
    connected = query(machine, "gluster pool list | grep -c 'Connected'").strip()
    return "" if connected == str(len(SOURCES)) else "peers"
