"""Whether machines let each other through. A firewall between them is found by who knocks, while there is a way back.

Only TCP is asked: adverts are heard or not when keepalived begins, and the pods' own network is their vendor's. A firewall
that answers like a closed door is not told from one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from shlex import quote

from blocks.errors import DeadlineExceededError, RefusedError
from blocks.ports import Host
from configs.hosts import Machine, Role, Source, Target
from configs.platform import Platform
from tasks.engine.outcome import Outcome, unchanged
from tasks.engine.run import Run
from tasks.engine.step import step
from tasks.engine.waiting import wait_until
from tasks.shell.script import facts, parse_facts

KNOCK_S = 3  # a first packet that is lost is sent again after 1 s
PATIENCE_S = 15  # a machine that has just been booted is not there yet
# A door where nothing listens yet says so: then the way to it is free. What is silent, or answered for by a router, is not.
KNOCK = f"""knock() {{
    said=$(LC_ALL=C timeout {KNOCK_S} bash -c ": </dev/tcp/$2/$3" 2>&1)
    case $?:$said in
    0:* | *refused*) ;;
    124:*) echo "$1 $3 silent" ;;
    *) echo "$1 $3 ${{said##*: }}" ;;
    esac
}}
"""
Door = tuple[Machine, int]


@step("check routes")
def check_routes(run: Run, host: Host, platform: Platform, machine: Machine, others: Collection[Machine]) -> Outcome:
    """Make sure that the machine reaches the others where etcd's members, API servers and agents will need each other.

    Changes nothing. Undo: none needed.
    """
    # probe
    doors = list(needed_doors(platform, machine, others))
    script = KNOCK + "".join(f"knock {quote(m.name)} {m.address} {port} &\n" for m, port in doors) + "wait"
    question, walls = facts({"walls": script}), list[str]()

    def all_open() -> bool:
        walls.clear()
        answer = host.run(question, what="knocking at the others", timeout_s=platform.timeouts.command_s)
        walls.extend(sorted(parse_facts(answer.stdout)["walls"].splitlines()))
        return not walls

    try:
        wait_until(f"{host.name} reaches the others", all_open, timeout_s=PATIENCE_S)
    except DeadlineExceededError as error:
        if not walls:
            raise  # the machine itself does not answer
        raise RefusedError(
            f"{host.name}: it does not reach {_told(walls)}: let TCP through (firewalls, security groups, routes), then run again"
        ) from error

    # act
    # verify
    return unchanged(f"reaches {len(doors)} doors of {len({machine.name for machine, _ in doors})} machines")


def _told(walls: Iterable[str]) -> str:
    """Walls in words, those of one kind together."""
    kinds: dict[str, list[str]] = {}
    for name, port, said in (wall.split(" ", 2) for wall in walls):
        kinds.setdefault(f"port {port} ({said})", []).append(name)
    return "; ".join(f"{', '.join(names)} at {kind}" for kind, names in kinds.items())


def needed_doors(platform: Platform, machine: Machine, others: Collection[Machine]) -> Iterator[Door]:
    """Where `machine` must get in: peers at peers, servers at members, everybody at servers. Sources do so already."""
    for other in others:
        if other == machine or (isinstance(machine, Source) and isinstance(other, Source)):
            continue
        if _is_member(machine) and _is_member(other):
            yield other, platform.etcd.peer_port
        if _is_server(machine) and _is_member(other):
            yield other, platform.etcd.client_port
        if _is_server(other):
            yield other, platform.k3s.api_port


def _is_member(machine: Machine) -> bool:
    return not isinstance(machine, Target) or machine.etcd


def _is_server(machine: Machine) -> bool:
    return not isinstance(machine, Target) or machine.role is Role.SERVER
