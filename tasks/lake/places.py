"""Which brick goes to which target, and whether it can lie there. The same answer after any of them has moved."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from shlex import quote

from blocks.ports import Host
from configs.hosts import Source, Target
from configs.platform import Platform
from tasks.engine.finding import Findings
from tasks.lake.daemon import Brick, Volume
from tasks.lake.lake import Lake
from tasks.machine.hosts import HOSTS, hosts_conflicts
from tasks.shell.files import read_file
from tasks.shell.script import facts, parse_facts

SPARE = 1.1  # the new brick's file system has blocks and metadata of its own size
MEASURE_S = 40


@dataclass(frozen=True)
class Move:
    """One brick's way from its source; without a target where none is free for it."""

    volume: Volume
    index: int
    old: Brick
    source: Source
    target: Target | None
    path: str

    @property
    def new(self) -> str:
        """By address: every client finds it without knowing a name."""
        return f"{self.target.address}:{self.path}" if self.target else ""


def moves(lake: Lake, platform: Platform) -> list[Move]:
    """Every brick on a source, in the order of the volumes, to the first target that has none of the same files."""
    found = list[Move]()
    taken = {(machine.name, b.path) for v in lake.volumes for b in v.bricks if (machine := lake.machine_of(b))}
    for volume in lake.volumes:
        given: dict[int, str] = {}
        for index, old, source in lake.on_sources(volume):
            path = platform.backup.lake.brick or old.path
            first = index // volume.replica * volume.replica
            copies = {machine.name for brick in volume.set_of(index) if (machine := lake.machine_of(brick))}
            copies |= {name for other, name in given.items() if other // volume.replica * volume.replica == first}
            free = [t for t in platform.targets if t.name not in copies and (t.name, path) not in taken]
            target = free[0] if free else None
            if target:
                given[index] = target.name
                taken.add((target.name, path))
            found.append(Move(volume, index, old, source, target, path))
    return found


def judge_move(found: Findings, lake: Lake, platform: Platform, hosts: Mapping[str, Host], move: Move) -> None:
    """Whether the brick can move to its target: what gluster itself does not refuse, or only once it has begun."""
    what = f"brick {move.old} of {move.volume.name}"
    if move.target is None:
        found.refuse(
            "lake-no-target",
            f"{what}: every target has a brick of the same files, or one at {move.path}",
            "write another path in backup.lake.brick, or move it by hand: gluster volume replace-brick",
            where=move.source.name,
            final=True,
        )
        return
    daemon, target = lake.daemons[move.target.name], move.target.name
    if not daemon.uuid:
        found.refuse(
            "lake-glusterd-missing",
            f"no glusterd answers there, and {what} is to move there",
            "install GlusterFS of the sources' version (glusterfs-server), then systemctl enable --now glusterd",
            where=target,
        )
    elif daemon.volume(move.volume.id) is None and (daemon.peers or daemon.volumes):
        found.refuse(
            "lake-other-pool",
            f"its glusterd has a pool or volumes of its own, and {what} is to move there",
            "if they are the old platform's: systemctl stop glusterd; mv /var/lib/glusterd /var/lib/glusterd.aside; "
            "systemctl start glusterd; bricks stay on the disk",
            where=target,
        )
    _judge_place(found, platform, hosts, move, target)


def _judge_place(found: Findings, platform: Platform, hosts: Mapping[str, Host], move: Move, target: str) -> None:
    what, path, parent = f"brick {move.old} of {move.volume.name}", move.path, move.path.rpartition("/")[0] or "/"
    question = {
        "parent": f"test -d {quote(parent)} && echo yes",
        "inside": f"ls -A {quote(path)} | head -n 3",
        "free": f"df --output=avail -B1 {quote(parent)} | tail -n 1",
        "hosts": read_file(HOSTS),
    }
    answer = hosts[target].run(facts(question), what=f"looking at {path}", timeout_s=platform.timeouts.command_s)
    said = parse_facts(answer.stdout)
    _judge_names(found, platform, target, said["hosts"])
    if not said["parent"]:
        found.refuse(
            "lake-place-missing",
            f"there is no folder {parent} for {what}",
            f"mount the disk that is meant for it, then mkdir -p {parent}; or write another path in backup.lake.brick",
            where=target,
        )
        return
    if said["inside"]:
        found.refuse(
            "lake-place-not-empty",
            f"{path} is not empty ({', '.join(said['inside'].split())}): {what} would never be healed over foreign files",
            f"mv {path} {path}.aside there, or write another path in backup.lake.brick",
            where=target,
            final=True,
        )
    used, free = _used(platform, hosts, move), int(said["free"] or 0)
    if free < used * SPARE:
        found.refuse(
            "lake-place-short",
            f"{free >> 20} MB free in {parent}, {int(used * SPARE) >> 20} MB are needed for {what}",
            "make room there, or write another path in backup.lake.brick",
            where=target,
        )


def _judge_names(found: Findings, platform: Platform, target: str, hosts_file: str) -> None:
    """glusterd takes down a peer that greets it by the name that belongs to its address, and connects to whatever else that name is."""
    if lines := hosts_conflicts(hosts_file, platform.machines, own=target):
        found.refuse(
            "lake-name-ambiguous",
            f"/etc/hosts has another address for a machine of the config ({'; '.join(lines)}): glusterd would look for a peer there",
            "delete the line",
            where=target,
        )


def _used(platform: Platform, hosts: Mapping[str, Host], move: Move) -> int:
    """Bytes of the brick, asked where it lies; of its whole file system when counting takes long. 0 where nobody can be asked."""
    host = hosts.get(move.source.name)
    if host is None:
        return 0
    path = quote(move.old.path)
    count = f"timeout {MEASURE_S} du -sB1 {path} || df --output=used -B1 {path} | tail -n 1"
    answer = host.run(facts({"used": count}), what=f"measuring {move.old.path}", timeout_s=platform.timeouts.command_s)
    numbers = parse_facts(answer.stdout)["used"].split()
    return next((int(number) for number in reversed(numbers) if number.isdigit()), 0)


def takers(lake: Lake, platform: Platform) -> Iterator[Target]:
    """The targets that get a brick, in their order."""
    getting = {move.target.name for move in moves(lake, platform) if move.target}
    return (target for target in platform.targets if target.name in getting)
