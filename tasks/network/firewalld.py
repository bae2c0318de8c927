"""firewalld on a machine: its zones as it prints them, and what they close of what is needed. Pure, but for the question.

A packet belongs to the zone that has its source, else to the one that has its interface, else to the default zone
(firewalld.zones(5)). What is read is the same from firewalld 0.6.3 (CentOS 7) to 2.x. `firewall-cmd` takes one kind of change in a
command line; --reload would drop the rules of docker and kube-proxy for a while, so both configurations are changed, the
running one and the one for the next start.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network
from itertools import groupby

from tasks.network.needs import Ports, port_text

OF_PODS = "trusted"
"""The zone that pods' networks are put into: its target is ACCEPT."""
QUESTIONS = {
    "firewalld": "systemctl is-active firewalld",
    "default": "systemctl is-active firewalld >/dev/null && firewall-cmd --get-default-zone",
    "runtime": "systemctl is-active firewalld >/dev/null && firewall-cmd --list-all-zones",
    "permanent": "systemctl is-active firewalld >/dev/null && firewall-cmd --permanent --list-all-zones",
    "services": """systemctl is-active firewalld >/dev/null || exit
read -ra names <<<"$(firewall-cmd --list-all-zones | sed -n 's/^  services: //p' | tr ' ' '\\n' | sort -u | tr '\\n' ' ')"
for name in "${names[@]}"; do firewall-cmd --info-service="$name"; done""",
    "interfaces": 'ip -4 -o addr show | while read -r _ name _ address _; do echo "$name ${address%/*}"; done',
    # Rules that are not firewalld's are not read; that they let through only what they name can be seen.
    "policy": "systemctl is-active firewalld >/dev/null || { iptables -S INPUT | head -n 1; nft list chains | grep 'hook input'; }",
}
DROPS = re.compile(r"^-P INPUT (DROP|REJECT)|policy drop", re.MULTILINE)
SETTING = re.compile(r"^  ([a-z -]+): ?(.*)$")
RICH = re.compile(
    r'rule (?:priority="[^"]*" )?(?:family="ipv4" )?(?:source address="(?P<source>[^"]+)" )?'
    r'(?:port port="(?P<port>[^"]+)" protocol="(?P<of>[a-z]+)" |protocol value="(?P<protocol>[^"]+)" |service name="(?P<service>[^"]+)" )?'
    r"(?:log .*|audit .*)?accept$"
)


@dataclass(frozen=True)
class Section:
    """A zone or a service, as `firewall-cmd` lists it."""

    name: str
    settings: Mapping[str, tuple[str, ...]]
    rules: tuple[str, ...] = ()

    def get(self, setting: str) -> tuple[str, ...]:
        return self.settings.get(setting, ())


@dataclass(frozen=True)
class Firewall:
    """What a machine says of its firewalld."""

    active: bool
    drops_input: bool
    """Whether other rules drop what they do not name."""
    default: str = ""
    runtime: Mapping[str, Section] = field(default_factory=dict)
    permanent: Mapping[str, Section] = field(default_factory=dict)
    services: Mapping[str, Section] = field(default_factory=dict)
    interfaces: Mapping[str, str] = field(default_factory=dict)
    """By address, whose it is."""

    def _zone_by_interface(self, interface: str) -> str:
        return next((zone.name for zone in self.runtime.values() if interface in zone.get("interfaces")), self.default)

    def zone_of(self, source: IPv4Address, interface: str) -> str:
        """The zone of what comes from `source` by `interface`."""
        bound = (zone.name for zone in self.runtime.values() if any(source in one for one in _networks(zone.get("sources"))))
        return next(bound, self._zone_by_interface(interface))


@dataclass(frozen=True)
class Peer:
    """A machine that a target is reached by, and the zone that its packets belong to there."""

    zone: str
    address: IPv4Address
    ports: tuple[Ports, ...]
    protocols: tuple[str, ...] = ()


@dataclass(frozen=True, order=True)
class Opening:
    """One thing that a zone does not let through yet."""

    zone: str
    kind: str
    """port, protocol or source."""
    value: str


def parse_firewall(said: Mapping[str, str]) -> Firewall:
    """What a machine answered to QUESTIONS."""
    interfaces = (line.split() for line in said["interfaces"].splitlines())
    return Firewall(
        active=said["firewalld"] == "active",
        drops_input=bool(DROPS.search(said["policy"])),
        default=said["default"].strip(),
        runtime=parse_sections(said["runtime"]),
        permanent=parse_sections(said["permanent"]),
        services=parse_sections(said["services"]),
        interfaces={address: name for name, address in interfaces},
    )


def parse_sections(text: str) -> dict[str, Section]:
    """By name, the zones or services of a listing; a name may be followed by "(active)"."""
    whole = (lines for part in re.split(r"^(?=\S)", text, flags=re.MULTILINE) if (lines := part.splitlines()))
    sections = (_section(lines[0].split()[0], lines[1:]) for lines in whole if lines[0].strip())
    return {section.name: section for section in sections}


def _section(name: str, lines: list[str]) -> Section:
    settings = {found[1]: tuple(found[2].split()) for line in lines if (found := SETTING.match(line))}
    return Section(name, settings, tuple(line.strip() for line in lines if line.startswith("\t")))


def closed_to(peer: Peer, zones: Mapping[str, Section], services: Mapping[str, Section]) -> Iterator[Opening]:
    """What `zones`, of either configuration, do not let through of what comes from `peer`."""
    zone = zones.get(peer.zone, Section(peer.zone, {}))
    rules = [rule for rule in map(RICH.match, zone.rules) if rule and _is_for(rule["source"], peer.address)]
    if zone.get("target") == ("ACCEPT",) or any(not (rule["port"] or rule["protocol"] or rule["service"]) for rule in rules):
        return
    named = [services[name] for name in (*zone.get("services"), *(rule["service"] for rule in rules)) if name in services]
    ports = [word for part in (zone, *named) for word in part.get("ports")] + [f"{rule['port']}/{rule['of']}" for rule in rules]
    protocols = {word for part in (zone, *named) for word in part.get("protocols")} | {rule["protocol"] for rule in rules}
    for needed in peer.ports:
        for rest in without(needed, ports):
            yield Opening(peer.zone, "port", port_text(rest))
    for protocol in peer.protocols:
        if protocol not in protocols:
            yield Opening(peer.zone, "protocol", protocol)


def closed_to_pods(networks: Iterable[str], zones: Mapping[str, Section]) -> Iterator[Opening]:
    """The networks that no zone lets through whole."""
    inside = [one for zone in zones.values() if zone.get("target") == ("ACCEPT",) for one in _networks(zone.get("sources"))]
    for network in networks:
        if not any(IPv4Network(network).subnet_of(one) for one in inside):
            yield Opening(OF_PODS, "source", network)


def without(needed: Ports, opened: Iterable[str]) -> list[Ports]:
    """The parts of the range that none of `opened` ("2379-2380/tcp") covers: only these are opened, and closed again."""
    left = [needed]
    for word in opened:
        numbers, _, kind = word.partition("/")
        first, _, last = numbers.partition("-")
        if kind == needed[2] and first.isdigit():
            left = [part for one in left for part in _cut(one, int(first), int(last or first))]
    return left


def _cut(ports: Ports, first: int, last: int) -> Iterator[Ports]:
    begin, end, kind = ports
    if first > end or last < begin:
        yield ports
        return
    if begin < first:
        yield begin, first - 1, kind
    if end > last:
        yield last + 1, end, kind


def _is_for(source: str | None, peer: IPv4Address) -> bool:
    """Whether a rule of this source is one for it."""
    return source is None or any(peer in one for one in _networks([source]))


def _networks(words: Iterable[str]) -> list[IPv4Network]:
    """Those of IPv4 addresses and networks; a zone's source may be a MAC or an ipset, too."""
    found = []
    for word in words:
        try:
            found.append(IPv4Network(word, strict=False))
        except ValueError:
            continue
    return found


def commands(openings: Iterable[Opening], verb: str, option: str = "") -> list[str]:
    """Shell: add or remove, one kind of one zone at a time, as firewall-cmd wants it."""
    lines = []
    for (zone, kind), group in groupby(sorted(openings), key=lambda one: (one.zone, one.kind)):
        words = " ".join(f"--{verb}-{kind}={one.value}" for one in group)
        lines.append(" ".join(filter(None, ("firewall-cmd", option, f"--zone={zone}", words))))
    return lines


def both(openings: Iterable[Opening], verb: str) -> str:
    """One line for a person: the running configuration and that of the next start, without a reload."""
    return f'for p in "" --permanent; do {"; ".join(commands(openings, verb, "$p"))}; done'
