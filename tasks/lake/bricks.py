"""The bricks of the file lake: replaced one at a time, each filled before the next."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from shlex import quote

from blocks.errors import VerificationError
from blocks.ports import Host
from configs.base import Accepted
from configs.platform import Platform
from tasks.engine.finding import Findings, FindingsError, judged, ranked
from tasks.engine.outcome import Outcome, changed, planned, unchanged
from tasks.engine.run import Run
from tasks.engine.step import step
from tasks.lake.checks import judge_moving
from tasks.lake.daemon import Volume, read_daemon
from tasks.lake.fitness import judge_moves
from tasks.lake.health import read_health, wait_until_online, wait_until_whole
from tasks.lake.lake import Lake, read_lake
from tasks.lake.peers import gluster
from tasks.lake.places import Move, moves


@dataclass(frozen=True)
class Slot:
    """The place of a brick in its volume, whichever brick is there: replacing one leaves its place."""

    volume: str
    """Its id."""
    index: int
    name: str


def slots(lake: Lake) -> list[Slot]:
    """All places of all volumes: first those on lost sources, without which no other can be filled, then in their order."""
    lost = {(v.id, index) for v in lake.volumes for index, _, source in lake.on_sources(v) if source.lost}
    found = [Slot(v.id, index, f"{v.name} brick {index + 1}") for v in lake.volumes for index in range(len(v.bricks))]
    return sorted(found, key=lambda slot: (slot.volume, slot.index) not in lost)


@step("replace lake brick")
def ensure_brick_moved(run: Run, slot: Slot, platform: Platform, hosts: Mapping[str, Host]) -> Outcome:
    """Make this place of the volume have its brick on a machine that stays, filled: every copy of every file is there.

    Undo: gluster volume replace-brick VOLUME NEW OLD commit force, once OLD was emptied; it is filled again.
    """
    # probe
    lake = read_lake(platform, hosts)
    volume = _volume(lake, slot)
    member = hosts[lake.members(volume)[0]]
    move = next((one for one in moves(lake, platform) if (one.volume.id, one.index) == (slot.volume, slot.index)), None)
    if move is None and _is_whole(member, platform, volume):
        return unchanged(f"{volume.bricks[slot.index]} stays, nothing is left to heal")
    if run.dry_run:
        return planned(f"{move.old} is replaced by {move.new or 'a target'}, and filled" if move else "waits until it is filled")
    if move is None:  # a killed run's: replaced, and not filled yet
        wait_until_whole(member, platform, volume)
        return unchanged(f"{volume.bricks[slot.index]} was replaced before, and is filled now")
    _refuse(run.accepted, lake, platform, hosts, move)
    if move.source.lost:  # its own brick is offline for good; without it nothing else can be healed first
        wait_until_online(member, platform, volume, but=str(move.old))
    else:
        wait_until_whole(member, platform, volume)

    # act
    command = f"volume replace-brick {quote(volume.name)} {quote(str(move.old))} {quote(move.new)} commit force"
    with run.acting(slot.name, f"gluster {command}"):
        gluster(member, platform, command)

    # verify
    now = read_daemon(member, platform.timeouts.command_s).volume(volume.id)
    there = str(now.bricks[slot.index]) if now else "nothing"
    if now is None or there != move.new:
        raise VerificationError(
            f"{slot.name}: gluster replaced {move.old}, but {there} is in its place, expected {move.new}: "
            f"gluster volume info {volume.name}",
            id="lake-brick-not-replaced",
        )
    wait_until_whole(member, platform, now)
    return changed(f"{move.old} is replaced by {move.new}, filled; what is in {move.old.path} stays on {move.source.name}")


def _volume(lake: Lake, slot: Slot) -> Volume:
    return next(volume for volume in lake.volumes if volume.id == slot.volume)


def _is_whole(member: Host, platform: Platform, volume: Volume) -> bool:
    return not volume.started or not read_health(member, platform, volume).lacking


def _refuse(accepted: Collection[Accepted], lake: Lake, platform: Platform, hosts: Mapping[str, Host], move: Move) -> None:
    """Raise FindingsError unless the brick can be moved as things are now; preflight was an hour ago."""
    found = Findings("file lake")
    judge_moving(found, move.volume, lake)
    judge_moves(found, lake, platform, hosts, [move])
    left = [one for finding in found.found if (one := judged(finding, accepted)).refuses]
    if left:
        raise FindingsError(ranked(left))

