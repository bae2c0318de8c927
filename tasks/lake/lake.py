"""The platform's file lake: the volumes that its sources have, or that are mounted where the archives are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from blocks.ports import Host
from configs.hosts import Machine, Source
from configs.platform import Platform
from tasks.lake.daemon import Brick, Daemon, Volume, read_daemon
from tasks.shell.fleet import side_by_side


@dataclass(frozen=True)
class Lake:
    """What every reachable machine's glusterd says, by the machine's name."""

    platform: Platform
    daemons: Mapping[str, Daemon]

    @property
    def volumes(self) -> tuple[Volume, ...]:
        """By name. An old platform's volumes, which only targets have, are not among them."""
        known: dict[str, Volume] = {}
        for machine in self.platform.machines:  # the last one's view stays: a source's may be an old one
            daemon = self.daemons.get(machine.name, Daemon(installed=False))
            for volume in daemon.volumes:
                ours = isinstance(machine, Source) or (volume.name in self.mounted(daemon) and self._is_of_platform(daemon))
                if ours or volume.id in known:
                    known[volume.id] = volume
        return tuple(sorted(known.values(), key=lambda volume: (volume.name, volume.id)))

    def mounted(self, daemon: Daemon) -> set[str]:
        """The volumes that the machine has mounted where the archives are."""
        folder = f"{self.platform.backup.lake.folder}/"
        return {volume for _, volume, where in daemon.mounts if folder.startswith(f"{where}/")}

    def machine_of(self, brick: Brick) -> Machine | None:
        """The machine that has the brick: by its glusterd's id, or by name or address where it can't be asked."""
        for machine in self.platform.machines:
            daemon = self.daemons.get(machine.name)
            known = daemon.uuid if daemon else ""
            if brick.uuid == known if brick.uuid and known else brick.host in names_of(machine):
                return machine
        return None

    def on_sources(self, volume: Volume) -> Iterator[tuple[int, Brick, Source]]:
        """Its bricks that lie on sources: index, brick, source."""
        for index, brick in enumerate(volume.bricks):
            machine = self.machine_of(brick)
            if isinstance(machine, Source):
                yield index, brick, machine

    def members(self, volume: Volume) -> list[str]:
        """The machines whose glusterd has the volume: any of them can be asked about it. Those that stay come first."""
        machines: tuple[Machine, ...] = (*self.platform.targets, *self.platform.sources)
        return [machine.name for machine in machines if (daemon := self.daemons.get(machine.name)) and daemon.volume(volume.id)]

    def nodes(self) -> tuple[Machine, ...]:
        """The machines with bricks, in the order of the bricks."""
        machines = (self.machine_of(brick) for volume in self.volumes for brick in volume.bricks)
        return tuple({machine.name: machine for machine in machines if machine is not None}.values())

    def _is_of_platform(self, daemon: Daemon) -> bool:
        """A target's own old pool may have a volume of the same name, mounted at the same place."""
        asked = [self.daemons[source.name] for source in self.platform.sources if source.name in self.daemons]
        return not any(one.volumes for one in asked) or any(daemon.knows(one.uuid) for one in asked if one.uuid)


def read_lake(platform: Platform, hosts: Mapping[str, Host]) -> Lake:
    """The file lake as it is now; every machine is asked once."""
    machines = [machine for machine in platform.machines if machine.name in hosts]
    asked = side_by_side(lambda machine: read_daemon(hosts[machine.name], platform.timeouts.command_s), machines)
    return Lake(platform, {machine.name: daemon for machine, daemon in zip(machines, asked, strict=True)})


def names_of(machine: Machine) -> set[str]:
    """By which others may call it."""
    return {machine.name, machine.name.partition(".")[0], str(machine.address)}
