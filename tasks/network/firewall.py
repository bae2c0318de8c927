"""What a target's own firewall closes of what the platform needs: found before anything is changed, opened where the config says so."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from blocks.errors import RefusedError, VerificationError
from blocks.ports import Host, KubeApi
from configs.hosts import Target
from configs.platform import FirewallPolicy, Platform
from tasks.engine.check import check
from tasks.engine.finding import Checked, Findings, note
from tasks.engine.outcome import Outcome, changed, planned, unchanged
from tasks.engine.record import Record
from tasks.engine.run import Run
from tasks.engine.step import step
from tasks.k3s.identity import ClusterAccess
from tasks.network.firewalld import (
    QUESTIONS,
    Firewall,
    Opening,
    Peer,
    both,
    closed_to,
    closed_to_pods,
    commands,
    parse_firewall,
)
from tasks.network.needs import Needs, read_needs
from tasks.shell.fleet import side_by_side
from tasks.shell.script import facts, parse_facts

OPENED = "firewall"  # below it in the record: the commands that close what was opened, by target
ACTIVE = "firewalld runs"
REMEDY = "let it through there, or write firewall: open in the config; type there, as root: "


@dataclass(frozen=True)
class Closed:
    """What firewalld does not let through, now and after its next start."""

    runtime: frozenset[Opening]
    permanent: frozenset[Opening]

    def __bool__(self) -> bool:
        return bool(self.runtime or self.permanent)

    @property
    def all(self) -> frozenset[Opening]:
        return self.runtime | self.permanent

    def __str__(self) -> str:
        zones = sorted({one.zone for one in self.all})
        return "; ".join(f"zone {zone}: {', '.join(_words(one for one in self.all if one.zone == zone))}" for zone in zones)


def _words(openings: Iterable[Opening]) -> list[str]:
    return [one.value if one.kind == "port" else f"{one.kind} {one.value}" for one in sorted(openings)]


@check("check firewall")
def check_firewall(host: Host, platform: Platform, target: Target, kube: KubeApi, access: ClusterAccess) -> Checked:
    """The target's firewalld lets through what its part in the platform needs, also after a reboot."""
    found, needs = Findings(host.name), read_needs(platform, kube, access)[target.name]
    firewall = read_firewall(host, platform)
    if not firewall.active:
        if firewall.drops_input:
            what = f"its own rules drop what they do not name; they are not read; the platform needs {needs}"
            found.warn("firewall-drops-input", what, "compare: iptables -S INPUT; nft list ruleset")
        return found.checked("no firewalld runs")
    if not firewall.runtime:
        found.refuse("firewall-unread", "firewalld runs, and does not say what it lets through", "firewall-cmd --list-all-zones there")
        return found.checked(ACTIVE)
    closed = closed_by(firewall, platform, target, needs)
    if closed and platform.firewall is FirewallPolicy.OPEN:
        found.note("firewall-opens", f"its firewalld closes what the platform needs, and is opened first: {closed}")
    elif closed:
        after = "" if closed.runtime else ", from its next start on"
        what = f"its firewalld closes what the platform needs{after}: {closed}"
        found.refuse("firewall-closed", what, REMEDY + both(closed.all, "add"))
    return found.checked(ACTIVE)


@step("open firewall")
def ensure_firewall_open(
    run: Run, host: Host, platform: Platform, target: Target, kube: KubeApi, access: ClusterAccess, record: Record
) -> Outcome:
    """Make the target's firewalld let through what its part in the platform needs, now and after its next start.

    Nothing is reloaded: that would take docker's and kube-proxy's rules away for a while. What is opened is in the record first.
    Undo: the command that the outcome names; it closes what was opened, and nothing else.
    """
    # probe
    needs = read_needs(platform, kube, access)[target.name]
    firewall = read_firewall(host, platform)
    if not firewall.active:
        return unchanged("no firewalld runs")
    if not firewall.runtime:
        raise RefusedError(
            f"{host.name}: opening the firewall: firewalld runs, and does not say what it lets through: see there: "
            "firewall-cmd --list-all-zones",
            id="firewall-unread",
        )
    closed = closed_by(firewall, platform, target, needs)
    if not closed:
        return unchanged("firewalld lets all of it through")
    if run.dry_run:
        return planned(f"opened: {closed}")

    # act
    with run.acting(host.name, f"opening {closed}"):
        undo = "; ".join(_recorded(record, host.name, closed))
        lines = (*commands(closed.runtime, "add"), *commands(closed.permanent, "add", "--permanent"))
        script = "{\n" + "\n".join(lines) + "\n} </dev/null\n"
        host.run(script, what="opening the firewall", timeout_s=platform.timeouts.command_s)

    # verify
    left = closed_by(read_firewall(host, platform), platform, target, needs)
    if left:
        raise VerificationError(
            f"{host.name}: opening the firewall: firewall-cmd succeeded, yet closed is still {left}: firewall-cmd --list-all-zones there",
            id="firewall-not-opened",
        )
    done = note("firewall-opened", host.name, f"opened in firewalld: {closed}", f"to undo it after a move that was given up: {undo}")
    return changed(f"opened: {closed}", findings=(done,))


def opening(platform: Platform, hosts: Mapping[str, Host], kube: KubeApi, access: ClusterAccess) -> frozenset[str]:
    """The targets whose firewalld will be opened: until then, what is closed there says nothing about the way to them."""
    if platform.firewall is not FirewallPolicy.OPEN:
        return frozenset()
    needs = read_needs(platform, kube, access)
    targets = [target for target in platform.targets if target.name in hosts]
    firewalls = side_by_side(lambda target: read_firewall(hosts[target.name], platform), targets)
    return frozenset(
        target.name
        for target, firewall in zip(targets, firewalls, strict=True)
        if firewall.runtime and closed_by(firewall, platform, target, needs[target.name])
    )


def read_firewall(host: Host, platform: Platform) -> Firewall:
    """The machine's firewalld as it is now, in one round trip."""
    answer = host.run(facts(QUESTIONS), what="reading firewalld's zones", timeout_s=platform.timeouts.command_s)
    return parse_firewall(parse_facts(answer.stdout))


def closed_by(firewall: Firewall, platform: Platform, target: Target, needs: Needs) -> Closed:
    """What is closed, in both configurations; which zone a packet belongs to is known of the running one only."""
    peers = list(_peers(firewall, platform, target, needs))
    runtime, permanent = (
        frozenset(
            (
                *(one for peer in peers for one in closed_to(peer, zones, firewall.services)),
                *closed_to_pods(needs.networks, zones),
            )
        )
        for zones in (firewall.runtime, firewall.permanent)
    )
    return Closed(runtime, permanent)


def _peers(firewall: Firewall, platform: Platform, target: Target, needs: Needs) -> Iterator[Peer]:
    """All other machines; adverts come by the interface of the VIP, from those that may hold it."""
    interface = firewall.interfaces.get(str(target.address), "")
    for machine in platform.reachable:
        if machine != target:
            yield Peer(firewall.zone_of(machine.address, interface), machine.address, needs.ports)
            if machine in (*platform.sources, *platform.vip_holders):
                zone = firewall.zone_of(machine.address, platform.interface_of(target))
                yield Peer(zone, machine.address, (), needs.protocols)


def _recorded(record: Record, name: str, closed: Closed) -> list[str]:
    """What closes it again, recorded beside what an earlier run has opened, which may have been killed before it said so."""
    undo = (*commands(closed.runtime, "remove"), *commands(closed.permanent, "remove", "--permanent"))
    before = (record.read(f"{OPENED}/{name}") or {}).get("undo", ())
    whole = list(dict.fromkeys((*before, *undo)))
    record.write(f"{OPENED}/{name}", {"undo": whole})
    return whole
