"""Whether the bricks that are to move can lie on their targets: what gluster does not refuse, or only once it has begun."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from shlex import quote

from blocks.ports import Host
from configs.platform import Platform
from tasks.engine.finding import Findings
from tasks.lake.lake import Lake
from tasks.lake.places import Move
from tasks.machine.hosts import HOSTS, hosts_conflicts
from tasks.shell.files import read_file
from tasks.shell.fleet import side_by_side
from tasks.shell.script import facts, parse_facts

SPARE = 1.1  # the new brick's file system has blocks and metadata of its own size
MEASURE_S = 40


def judge_moves(found: Findings, lake: Lake, platform: Platform, hosts: Mapping[str, Host], wanted: Sequence[Move]) -> None:
    """Every target is asked once, and every source once for the size of its bricks."""
    for move in (move for move in wanted if move.target is None):
        found.refuse(
            "lake-no-target",
            f"{move.what}: every target has a brick of the same files, or one at {move.path}",
            "write another path in backup.lake.brick, or move it by hand: gluster volume replace-brick",
            where=move.source.name,
            final=True,
        )
    coming: dict[str, list[Move]] = {}
    for move in wanted:
        if move.target:
            coming.setdefault(move.target.name, []).append(move)
    sizes = _sizes(platform, hosts, [move for moves in coming.values() for move in moves])
    answers = side_by_side(lambda target: _look(hosts[target], platform, coming[target]), coming)
    for (target, its), said in zip(coming.items(), answers, strict=True):
        _judge_daemon(found, lake, target, its)
        _judge_names(found, platform, target, said["hosts"])
        _judge_places(found, target, its, said)
        _judge_room(found, target, its, said, sizes)


def _judge_daemon(found: Findings, lake: Lake, target: str, coming: Sequence[Move]) -> None:
    daemon, what = lake.daemons[target], coming[0].what
    if not daemon.uuid:
        found.refuse(
            "lake-glusterd-missing",
            f"no glusterd answers there, and {what} is to move there",
            "install GlusterFS of the sources' version (glusterfs-server), then systemctl enable --now glusterd",
            where=target,
        )
    elif daemon.volume(coming[0].volume.id) is None and (daemon.peers or daemon.volumes):
        found.refuse(
            "lake-other-pool",
            f"its glusterd has a pool or volumes of its own, and {what} is to move there",
            "if they are the old platform's: systemctl stop glusterd; mv /var/lib/glusterd /var/lib/glusterd.aside; "
            "systemctl start glusterd; bricks stay on the disk",
            where=target,
        )


def _look(host: Host, platform: Platform, coming: Sequence[Move]) -> dict[str, str]:
    """By the number of the move: its folder's parent, what is inside, and the free bytes and number of the file system it is on."""
    question = {"hosts": read_file(HOSTS), "root": "stat -c %d /"}
    for number, move in enumerate(coming):
        path, parent = quote(move.path), quote(move.parent)
        room = f'test -d {path} && p={path} || p={parent}; echo "$(df --output=avail -B1 "$p" | tail -n 1) $(stat -c %d "$p")"'
        question |= {f"parent{number}": f"test -d {parent} && echo yes", f"inside{number}": f"ls -A {path} | head -n 3"}
        question[f"room{number}"] = room
    return parse_facts(host.run(facts(question), what="looking where bricks go", timeout_s=platform.timeouts.command_s).stdout)


def _judge_places(found: Findings, target: str, coming: Sequence[Move], said: Mapping[str, str]) -> None:
    for number, move in enumerate(coming):
        if not said[f"parent{number}"]:
            found.refuse(
                "lake-place-missing",
                f"there is no folder {move.parent} for {move.what}",
                f"mount the disk that is meant for it, then mkdir -p {move.parent}; or write another path in backup.lake.brick",
                where=target,
            )
        elif said[f"inside{number}"]:
            inside = ", ".join(said[f"inside{number}"].split())
            found.refuse(
                "lake-place-not-empty",
                f"{move.path} is not empty ({inside}): {move.what} would never be healed over foreign files",
                f"mv {move.path} {move.path}.aside there, or write another path in backup.lake.brick",
                where=target,
                final=True,
            )


def _judge_room(found: Findings, target: str, coming: Sequence[Move], said: Mapping[str, str], sizes: Mapping[str, int]) -> None:
    """Bricks that come to one file system share its room. On the root's, a full brick stops the machine."""
    by_system: dict[str, list[tuple[Move, int]]] = {}
    for number, move in enumerate(coming):
        free, _, system = said[f"room{number}"].strip().partition(" ")
        if said[f"parent{number}"]:
            by_system.setdefault(system, []).append((move, int(free)))
    for system, moves in by_system.items():
        needed, room = sum(int(sizes[str(move.old)] * SPARE) for move, _ in moves), moves[0][1]
        where, what = moves[0][0].parent, ", ".join(move.what for move, _ in moves)
        if room < needed:
            found.refuse(
                "lake-place-short",
                f"{room >> 20} MB free in {where}, {needed >> 20} MB are needed for {what}",
                "make room there, or write another path in backup.lake.brick",
                where=target,
            )
        if system == said["root"].strip():
            found.warn(
                "lake-place-on-root",
                f"{where} is on the root file system, which {what} can fill",
                f"mount a disk at {where}, or write another path in backup.lake.brick",
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


def _sizes(platform: Platform, hosts: Mapping[str, Host], coming: Sequence[Move]) -> dict[str, int]:
    """Bytes of each brick, asked where it lies; of its whole file system when counting takes long. 0 where nobody can be asked."""
    by_source: dict[str, list[Move]] = {}
    for move in coming:
        by_source.setdefault(move.source.name, []).append(move)
    answers = side_by_side(lambda source: _measured(hosts.get(source), platform, by_source[source]), by_source)
    return {brick: size for answer in answers for brick, size in answer.items()}


def _measured(host: Host | None, platform: Platform, leaving: Sequence[Move]) -> dict[str, int]:
    if host is None:
        return {str(move.old): 0 for move in leaving}
    question = {}
    for move in leaving:
        path = quote(move.old.path)
        question[str(move.old)] = f"timeout {MEASURE_S} du -sB1 {path} || df --output=used -B1 {path} | tail -n 1"
    timeout_s = platform.timeouts.command_s + MEASURE_S * len(leaving)
    said = parse_facts(host.run(facts(question), what="measuring bricks", timeout_s=timeout_s).stdout)
    numbers = {brick: [int(word) for word in answer.split() if word.isdigit()] for brick, answer in said.items()}
    return {brick: found[-1] if found else 0 for brick, found in numbers.items()}
