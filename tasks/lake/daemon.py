"""GlusterFS as the glusterd of one machine knows it: its pool, its volumes, where their bricks are.

What is asked here glusterd answers by itself, without the cluster's lock: any number of machines can be asked at once.
Formats are those of GlusterFS 10.3; 3.x writes the same elements.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar
from xml.etree import ElementTree  # nosec: what our own machines' gluster prints

from blocks.ports import Host
from tasks.shell.script import facts, parse_facts

GLUSTER = "timeout {timeout_s:.0f} gluster --mode=script "
LOCAL_S = 20
IN_POOL = "3"  # "Peer in Cluster"; smaller numbers are a handshake that goes on, or was cut off
STARTED = "1"

T = TypeVar("T")


@dataclass(frozen=True)
class Brick:
    """A folder of one machine, by the name that the pool has for it; `uuid` is that machine's glusterd."""

    host: str
    path: str
    uuid: str

    def __str__(self) -> str:
        return f"{self.host}:{self.path}"


@dataclass(frozen=True)
class Volume:
    """A volume; each `replica` bricks in a row hold the same files, of which arbiters have only the names."""

    id: str
    name: str
    kind: str
    started: bool
    replica: int
    arbiters: int
    bricks: tuple[Brick, ...]

    def set_of(self, index: int) -> tuple[Brick, ...]:
        """The bricks that hold the same files as the one at `index`, itself among them."""
        first = index // self.replica * self.replica
        return self.bricks[first : first + self.replica]


@dataclass(frozen=True)
class Peer:
    """Another machine of the pool."""

    uuid: str
    name: str
    connected: bool
    in_pool: bool


@dataclass(frozen=True)
class Daemon:
    """A machine's glusterd. Without a uuid it does not answer; `kept` are the volumes that it has on its disk all the same."""

    installed: bool
    uuid: str = ""
    peers: tuple[Peer, ...] = ()
    volumes: tuple[Volume, ...] = ()
    kept: tuple[str, ...] = ()
    mounts: tuple[tuple[str, str, str], ...] = ()
    """What is mounted by GlusterFS: the server that was named, the volume, and where."""

    def knows(self, uuid: str) -> Peer | None:
        """The peer of that id."""
        return next((peer for peer in self.peers if peer.uuid == uuid), None)

    def volume(self, id: str) -> Volume | None:
        """The volume of that id, as this machine has it."""
        return next((volume for volume in self.volumes if volume.id == id), None)


def question() -> str:
    """All that one machine is asked, for one round trip."""
    ask = GLUSTER.format(timeout_s=LOCAL_S)
    return facts(
        {
            "gluster": "command -v gluster",
            "pool": f"{ask}pool list --xml",
            "volumes": f"{ask}volume info --xml",
            "kept": "ls /var/lib/glusterd/vols",
            "mounts": "grep ' fuse.glusterfs ' /proc/mounts",
        }
    )


def read_daemon(host: Host, timeout_s: float) -> Daemon:
    """The machine's glusterd as it is now."""
    return parse_daemon(host.run(question(), what="asking glusterd", timeout_s=timeout_s).stdout)


def parse_daemon(output: str) -> Daemon:
    """What a machine answered to `question`."""
    said = parse_facts(output)
    peers = list(_each(said["pool"], "peerStatus/peer", _peer))
    own = next((peer.uuid for peer in peers if peer.name == "localhost"), "")
    return Daemon(
        installed=bool(said["gluster"]),
        uuid=own,
        peers=tuple(peer for peer in peers if peer.uuid != own),
        volumes=tuple(_each(said["volumes"], "volInfo/volumes/volume", _volume)) if own else (),
        kept=tuple(said["kept"].split()),
        mounts=tuple(_mount(line) for line in said["mounts"].splitlines()),
    )


def parse_xml(text: str) -> ElementTree.Element | None:
    """What gluster printed with --xml, None when it printed something else: it does not reach glusterd, or was killed."""
    try:
        return ElementTree.fromstring(text)  # noqa: S314
    except ElementTree.ParseError:
        return None


def _each(text: str, path: str, parse: Callable[[ElementTree.Element], T]) -> Iterator[T]:
    said = parse_xml(text)
    return iter(()) if said is None else map(parse, said.findall(path))


def _peer(said: ElementTree.Element) -> Peer:
    """A machine's own entry has no state."""
    uuid, name, connected = (said.findtext(part, "") for part in ("uuid", "hostname", "connected"))
    return Peer(uuid, name, connected == "1", said.findtext("state", IN_POOL) == IN_POOL)


def _volume(said: ElementTree.Element) -> Volume:
    replica, arbiters = (int(said.findtext(part, "0")) for part in ("replicaCount", "arbiterCount"))
    started = said.findtext("status", "") == STARTED
    bricks = tuple(_brick(brick) for brick in said.findall("bricks/brick"))
    return Volume(
        said.findtext("id", ""), said.findtext("name", ""), said.findtext("typeStr", ""), started, max(1, replica), arbiters, bricks
    )


def _brick(said: ElementTree.Element) -> Brick:
    host, _, path = said.findtext("name", "").rpartition(":")
    return Brick(host, path, said.findtext("hostUuid", ""))


def _mount(line: str) -> tuple[str, str, str]:
    """Of a line of /proc/mounts; a folder of a volume can be mounted, too."""
    device, where, *_ = line.split()
    server, _, what = device.rpartition(":")
    return server, what.strip("/").partition("/")[0], where
