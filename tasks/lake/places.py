"""Which brick goes to which target. The same answer after any of them has moved. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from configs.hosts import Source, Target
from configs.platform import Platform
from tasks.lake.daemon import Brick, Volume
from tasks.lake.lake import Lake


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
    def what(self) -> str:
        """How findings name it."""
        return f"brick {self.old} of {self.volume.name}"

    @property
    def parent(self) -> str:
        """The folder that must be there."""
        return self.path.rpartition("/")[0] or "/"

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


def takers(lake: Lake, platform: Platform) -> Iterator[Target]:
    """The targets that get a brick, in their order."""
    getting = {move.target.name for move in moves(lake, platform) if move.target}
    return (target for target in platform.targets if target.name in getting)
