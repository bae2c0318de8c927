"""Whether machines reach each other's ports. A firewall between them is found before anything is changed.

Only TCP is probed: whether adverts arrive shows when keepalived starts, and the pods' network is its vendor's. A firewall
that answers with a reset looks like a port where nothing listens.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from shlex import quote

from blocks.errors import DeadlineExceededError
from blocks.ports import Host
from configs.hosts import Machine, Role, Source, Target
from configs.platform import Platform
from tasks.engine.check import check
from tasks.engine.finding import Checked, Findings
from tasks.engine.waiting import wait_until
from tasks.shell.script import facts, parse_facts

CONNECT_S = 3  # a first packet that is lost is sent again after 1 s
TRIES = 16  # of a port of many machines: each tries those that follow it, so that every one is tried by as many others
PATIENCE_S = 15  # a machine that has just been booted may not answer yet
SILENT = "silent"
GLUSTERD_PORT = 24007
# "Connection refused" means that the port is reachable: nothing listens there yet. A timeout or another error means that it is not.
PROBE = f"""probe() {{
    said=$(LC_ALL=C timeout {CONNECT_S} bash -c ": </dev/tcp/$2/$3" 2>&1)
    case $?:$said in
    0:* | *refused*) ;;
    124:*) echo "$1 $3 {SILENT}" ;;
    *) echo "$1 $3 ${{said##*: }}" ;;
    esac
}}
"""
Endpoint = tuple[Machine, int]
Place = tuple[str, object, int]
"""Name, address and port; the name without blanks."""


@check("check routes")
def check_routes(
    host: Host, platform: Platform, machine: Machine, others: Collection[Machine], opening: Collection[str] = ()
) -> Checked:
    """The machine reaches the ports of the others that etcd's members, API servers and agents will need.

    Those of `opening` open their firewall later, and are tried again then.
    """
    found = Findings(host.name)
    endpoints = list(needed_endpoints(platform, machine, others))
    places = [(other.name, other.address, port) for other, port in endpoints]
    for (port, error), names in _by_kind(unreachable(host, platform, places)).items():
        if later := [name for name in names if name in opening]:
            found.note("firewall-opens-later", f"TCP port {port} of {', '.join(later)} is tried again once their firewall is open")
        if others_left := [name for name in names if name not in opening]:
            _judge_port(found, others_left, port, error)
    return found.checked(
        f"reaches {len(endpoints)} ports of {len({machine.name for machine, _ in endpoints})} machines"
    )


def unreachable(host: Host, platform: Platform, places: Iterable[Place]) -> list[str]:
    """What stays unreachable, as lines "NAME PORT ERROR". Raises DeadlineExceededError when the host itself is silent."""
    probes = "".join(f"probe {quote(name)} {address} {port} &\n" for name, address, port in places)
    question, lines = facts({"unreachable": f"{PROBE}{probes}wait"}), list[str]()

    def all_reached() -> bool:
        lines.clear()
        answer = host.run(question, what="connecting to the others", timeout_s=platform.timeouts.command_s)
        lines.extend(sorted(parse_facts(answer.stdout)["unreachable"].splitlines()))
        return not lines

    try:
        wait_until(f"{host.name} reaches the others", all_reached, timeout_s=PATIENCE_S, id="host-unreachable")
    except DeadlineExceededError:
        if not lines:
            raise
    return lines


def _by_kind(lines: Iterable[str]) -> dict[tuple[str, str], list[str]]:
    """The names of the machines, by port and error."""
    kinds: dict[tuple[str, str], list[str]] = {}
    for name, port, error in (line.split(" ", 2) for line in lines):
        kinds.setdefault((port, error), []).append(name)
    return kinds


def _judge_port(found: Findings, names: Iterable[str], port: str, error: str) -> None:
    where = f"TCP port {port} of {', '.join(names)}"
    if error == SILENT:
        found.refuse(
            "port-silent",
            f"no answer from {where} within {CONNECT_S} s",
            f"let TCP {port} through the firewalls and security groups in between, then run the same command again",
        )
    else:
        found.refuse(
            "port-unreachable",
            f"can't reach {where}: {error}",
            f"add a route, or let TCP {port} through a firewall that rejects it, then run the same command again",
        )


def needed_endpoints(platform: Platform, machine: Machine, others: Collection[Machine]) -> Iterator[Endpoint]:
    """What `machine` must reach: members' peer ports from members, their client ports from servers, servers' API from all, glusterd
    where bricks of the file lake move.

    Sources reach each other already. Where a port is needed of many machines, only some of them are named: all machines together
    would try it as often as there are pairs of them.
    """
    following = _following(machine, others)
    members, servers = ([other for other in following if of_kind(other)] for of_kind in (_is_member, _is_server))
    if _is_member(machine):
        yield from ((other, platform.etcd.peer_port) for other in members[:TRIES])
    if _is_server(machine):
        yield from ((other, platform.etcd.client_port) for other in members[:TRIES])
    yield from ((other, platform.k3s.api_port) for other in servers[:TRIES])
    if platform.backup.lake.move:
        yield from ((other, GLUSTERD_PORT) for other in following[:TRIES])


def _following(machine: Machine, others: Collection[Machine]) -> list[Machine]:
    """Those that it does not reach already, as they come behind it in the config, and on from the first one."""
    ordered = list(others)
    place = ordered.index(machine) + 1 if machine in ordered else 0
    of_sources = isinstance(machine, Source)
    return [other for other in ordered[place:] + ordered[:place] if other != machine and not (of_sources and isinstance(other, Source))]


def _is_member(machine: Machine) -> bool:
    return not isinstance(machine, Target) or machine.etcd


def _is_server(machine: Machine) -> bool:
    return not isinstance(machine, Target) or machine.role is Role.SERVER
