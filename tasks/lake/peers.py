"""The pool of the file lake's machines: a target joins it before it gets a brick, a source leaves it when it has none."""

from __future__ import annotations

from collections.abc import Mapping
from shlex import quote

from blocks.errors import HostError, RefusedError
from blocks.ports import Host
from configs.hosts import Source, Target
from configs.platform import Platform
from tasks.engine.outcome import Outcome, changed, planned, unchanged
from tasks.engine.run import Run
from tasks.engine.step import step
from tasks.engine.waiting import wait_until
from tasks.lake.daemon import GLUSTER, Peer, parse_xml
from tasks.lake.lake import Lake, names_of, read_lake


@step("probe lake peer")
def ensure_peer(run: Run, target: Target, platform: Platform, hosts: Mapping[str, Host]) -> Outcome:
    """Make the target a connected peer of the file lake's pool, by its address, so that it can have a brick.

    Undo: gluster peer detach ADDRESS, on a source, while the target has no brick.
    """
    # probe
    lake = read_lake(platform, hosts)
    member = _source_member(lake, platform)
    if not member:
        return unchanged("no source has a volume")
    if _joined(lake, target.name, member):
        return unchanged(f"a connected peer of {member}")
    if run.dry_run:
        return planned(f"gluster peer probe {target.address} on {member}")
    daemon = lake.daemons[target.name]
    is_others = bool(daemon.peers or daemon.volumes) and not daemon.knows(lake.daemons[member].uuid)
    if not daemon.uuid or is_others:
        raise RefusedError(
            f"{target.name}: joining the file lake's pool: its glusterd does not answer, or has a pool or volumes of its own: "
            "gluster pool list there, then run the same command again: check lake says what to do",
            id="lake-target-unfit",
        )

    # act
    with run.acting(target.name, f"gluster peer probe {target.address} on {member}"):
        gluster(hosts[member], platform, f"peer probe {target.address}")

    # verify
    two = {name: hosts[name] for name in (target.name, member)}
    wait_until(
        f"{target.name} is a connected peer of {member}",
        lambda: _joined(read_lake(platform, two), target.name, member),
        timeout_s=platform.timeouts.gluster_s,
        still=lambda: f"gluster peer status on {target.name} and on {member}",
        id="lake-peer-not-joined",
    )
    return changed(f"a connected peer of {member}")


@step("detach lake peer")
def ensure_detached(run: Run, source: Source, platform: Platform, hosts: Mapping[str, Host]) -> Outcome:
    """Make the file lake's pool no longer count the source among its machines.

    Undo: gluster peer probe SOURCE, on a target.
    """
    # probe
    lake = read_lake(platform, hosts)
    staying = _staying(lake, platform)
    peers = {name: peer for name in staying if (peer := _peer_of(lake, name, source))}
    if not peers:
        return unchanged(f"no peer of {', '.join(staying)}" if staying else "no target has a volume of the file lake")
    if run.dry_run:
        return planned(f"{source.name} is detached from the file lake's pool")
    if any(machine == source for volume in lake.volumes for _, _, machine in lake.on_sources(volume)):
        raise RefusedError(
            f"{source.name}: leaving the file lake's pool: it still has a brick: run the same command again, with backup.lake.move",
            id="lake-peer-has-brick",
        )

    # act
    asked, peer = next(iter(peers.items()))
    with run.acting(source.name, f"gluster peer detach {peer.name} on {asked}"):
        gluster(hosts[asked], platform, f"peer detach {quote(peer.name)}")

    # verify
    left = {name: hosts[name] for name in staying}
    wait_until(
        f"{source.name} has left the file lake's pool",
        lambda: not any(_peer_of(now, name, source) for now in [read_lake(platform, left)] for name in staying),
        timeout_s=platform.timeouts.gluster_s,
        still=lambda: f"gluster pool list on {', '.join(staying)}",
        id="lake-peer-not-detached",
    )
    return changed(f"detached, {', '.join(staying)} no longer count it")


def gluster(host: Host, platform: Platform, command: str) -> None:
    """Run a command that changes the pool or a volume. Raises HostError with what gluster says when it refuses."""
    ask = GLUSTER.format(timeout_s=platform.timeouts.gluster_s)
    what = f"gluster {command}"
    answer = host.run(f"{ask}{command} --xml </dev/null", what=what, timeout_s=platform.timeouts.gluster_s + 10, check=False)
    said = parse_xml(answer.stdout)
    if said is None or said.findtext("opRet") != "0":
        why = (said.findtext("opErrstr") or said.findtext("output") if said is not None else answer.stderr.strip()[-400:]) or "no answer"
        raise HostError(
            f"{host.name}: {what}: {why}: put that right, or wait for what it waits for, then run the same command again",
            id="lake-gluster-refused",
        )


def _source_member(lake: Lake, platform: Platform) -> str:
    """A source that has the volumes; its name, or nothing."""
    return next((s.name for s in platform.sources if s.name in lake.daemons and lake.daemons[s.name].volumes), "")


def _joined(lake: Lake, target: str, member: str) -> bool:
    """Both count each other, and the target has got the volumes."""
    new, old = lake.daemons[target], lake.daemons[member]
    mutual = (old.knows(new.uuid), new.knows(old.uuid))
    return all(peer and peer.connected and peer.in_pool for peer in mutual) and len(new.volumes) >= len(old.volumes)


def _staying(lake: Lake, platform: Platform) -> list[str]:
    """The targets that are in the pool of the file lake."""
    with_it = {name for volume in lake.volumes for name in lake.members(volume)}
    return [target.name for target in platform.targets if target.name in with_it]


def _peer_of(lake: Lake, name: str, source: Source) -> Peer | None:
    """The source as that machine's peer: by its glusterd's id, or by name or address where it can't be asked any more."""
    daemon = lake.daemons.get(source.name)
    called = names_of(source)
    peers = lake.daemons[name].peers
    return next((peer for peer in peers if (daemon and peer.uuid == daemon.uuid) or peer.name in called), None)
