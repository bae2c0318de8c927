"""Whether the file lake outlives its sources: before the move, when they are to leave, and afterwards."""

from __future__ import annotations

from collections.abc import Mapping

from blocks.ports import Host
from configs.platform import Platform
from tasks.engine.check import check
from tasks.engine.finding import Checked, Findings
from tasks.lake.daemon import Volume
from tasks.lake.fitness import judge_moves
from tasks.lake.health import read_health
from tasks.lake.lake import Lake, read_lake
from tasks.lake.places import moves

MOVABLE = ("Replicate", "Distributed-Replicate")
COPIES = 3  # while a brick is filled, two others have its files: one may fail
NONE = "no GlusterFS volume of the platform"


@check("check lake")
def check_lake(platform: Platform, hosts: Mapping[str, Host]) -> Checked:
    """No brick of the file lake lies on a source, or all that do can be moved to targets; glusterd answers where it has volumes."""
    found = Findings("file lake")
    lake = read_lake(platform, hosts)
    _judge_daemons(found, lake, platform)
    for volume in lake.volumes:
        if _judge_volume(found, volume):
            _judge_health(found, lake, platform, hosts, volume)
        if platform.backup.lake.move:
            judge_moving(found, volume, lake)
    if platform.backup.lake.move:
        judge_moves(found, lake, platform, hosts, moves(lake, platform))
    else:
        _judge_bricks(found, lake, final=False)
        _judge_peers(found, lake, platform)
    return found.checked(_summary(lake))


@check("verify lake", after_acts=True)
def verify_lake(platform: Platform, hosts: Mapping[str, Host]) -> Checked:
    """No brick of the file lake lies on a source, every brick is online and nothing is left to heal: the sources hold no data."""
    found = Findings("file lake")
    lake = read_lake(platform, hosts)
    _judge_daemons(found, lake, platform)
    _judge_bricks(found, lake, final=True)
    for volume in lake.volumes:
        if _judge_volume(found, volume):
            _judge_health(found, lake, platform, hosts, volume)
    _judge_mounts(found, lake, platform)
    return found.checked(_summary(lake))


def _judge_daemons(found: Findings, lake: Lake, platform: Platform) -> None:
    """A glusterd that does not answer hides its volumes: that is not the absence of a lake."""
    sources = {source.name for source in platform.sources}
    for name, daemon in lake.daemons.items():
        ours = daemon.kept if name in sources else lake.mounted(daemon).intersection(daemon.kept)
        if ours and not daemon.uuid:
            lacking = "its glusterd does not answer" if daemon.installed else "there is no gluster command"
            found.refuse(
                "lake-glusterd-silent",
                f"has volumes below /var/lib/glusterd ({', '.join(sorted(ours))}), but {lacking}: where their bricks are is unknown",
                "systemctl start glusterd; install the command where glusterd runs in a container",
                where=name,
            )


def _judge_volume(found: Findings, volume: Volume) -> bool:
    """Whether it is started, so that more can be asked."""
    if not volume.started:
        found.refuse("lake-volume-stopped", f"the volume {volume.name} is not started", f"gluster volume start {volume.name}")
    return volume.started


def _judge_health(found: Findings, lake: Lake, platform: Platform, hosts: Mapping[str, Host], volume: Volume) -> None:
    """A lost source's brick is offline for good: it is moved, or refused where it lies."""
    health = read_health(hosts[lake.members(volume)[0]], platform, volume)
    lost = {str(brick) for _, brick, source in lake.on_sources(volume) if source.lost}
    for brick in (one for one in health.offline if one not in lost):
        found.refuse(
            "lake-brick-offline",
            f"brick {brick} of {volume.name} is offline, or its machine is away",
            f"start its machine, then gluster volume start {volume.name} force",
        )
    for brick, entries in health.pending.items():
        found.warn(
            "lake-heal-pending",
            f"brick {brick} of {volume.name} has {entries} entries to heal",
            f"gluster volume heal {volume.name} info; no further brick is replaced before it shows none",
        )


def judge_moving(found: Findings, volume: Volume, lake: Lake) -> None:
    """Whether its bricks can be replaced one at a time without a moment in which files have too few copies."""
    leaving = [str(brick) for _, brick, _ in lake.on_sources(volume)]
    if not leaving:
        return
    if volume.kind not in MOVABLE:
        found.refuse(
            "lake-type-unmovable",
            f"{volume.name} is of type {volume.kind}, expected {' or '.join(MOVABLE)}: not one by one: {', '.join(leaving)}",
            f"move its data by hand: gluster volume add-brick, then remove-brick {volume.name} ... start, status, commit",
            final=True,
        )
    elif volume.replica - volume.arbiters < COPIES:
        found.refuse(
            "lake-few-copies",
            f"{volume.name} has {volume.replica - volume.arbiters} copies of a file, expected {COPIES}: one is left meanwhile",
            f"gluster volume add-brick {volume.name} replica {COPIES} TARGET:/PATH, and wait until it is healed",
        )
    else:
        _judge_lost(found, volume, lake)


def _judge_lost(found: Findings, volume: Volume, lake: Lake) -> None:
    """Without a majority of its copies a file can't be written (cluster.quorum-type auto), nor healed to where another is."""
    lost = {str(brick): source.name for _, brick, source in lake.on_sources(volume) if source.lost}
    for first in range(0, len(volume.bricks), volume.replica):
        gone = [str(brick) for brick in volume.set_of(first) if str(brick) in lost]
        if 2 * len(gone) >= volume.replica:
            found.refuse(
                "lake-copies-lost",
                f"{volume.name}: {len(gone)} of {volume.replica} copies are on lost sources ({', '.join(gone)}): no majority is left",
                f"bring one of {', '.join(lost[brick] for brick in gone)} back and take lost off in the config, or restore its data first",
                final=True,
            )


def _judge_bricks(found: Findings, lake: Lake, *, final: bool) -> None:
    for volume in lake.volumes:
        for _, brick, source in lake.on_sources(volume):
            found.refuse(
                "lake-bricks-on-sources",
                f"brick {brick} of {volume.name}, {_role(volume)}, lies on it: its data go when the source is switched off",
                "set backup.lake.move: true, or move it by hand: gluster volume replace-brick",
                where=source.name,
                final=final,
            )


def _judge_peers(found: Findings, lake: Lake, platform: Platform) -> None:
    """A source without a brick that stays in the pool counts for the servers' quorum after it was switched off."""
    having = {machine.name for machine in lake.nodes()}
    for name in (source.name for source in platform.sources if source.name not in having):
        daemon = lake.daemons.get(name)
        if daemon and daemon.volumes:
            remedy = f"once it has left: gluster peer detach {name} on a target, or set backup.lake.move: true"
            found.warn("lake-source-in-pool", "it has no brick, but it is a peer of the file lake's pool", remedy, where=name)


def _judge_mounts(found: Findings, lake: Lake, platform: Platform) -> None:
    """A mount goes on without the server that was named; it gets no later change of the volume, and can't be made again."""
    leaving = {text: s for s in platform.sources for text in (s.name, s.name.partition(".")[0], str(s.address))}
    for target in platform.targets:
        for server, volume, where in lake.daemons[target.name].mounts:
            if server in leaving:
                found.warn(
                    "lake-mounted-from-source",
                    f"{where} is mounted from {server}:{volume}, which leaves: it goes on until it is mounted anew",
                    f"at a quiet hour: umount {where}; mount -t glusterfs localhost:{volume} {where}, in /etc/fstab, too",
                    where=target.name,
                )


def _role(volume: Volume) -> str:
    return f"{volume.kind} {volume.replica}" if volume.replica > 1 else volume.kind


def _summary(lake: Lake) -> str:
    if not lake.volumes:
        return NONE
    return "; ".join(f"{volume.name}, {_role(volume)}: {', '.join(map(str, volume.bricks))}" for volume in lake.volumes)
