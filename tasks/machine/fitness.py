"""Whether a machine can be worked on. All facts are read in one round trip; all problems are reported together."""

from __future__ import annotations

from datetime import UTC, datetime

from blocks.ports import Host
from configs.hosts import Machine, Source, Target
from configs.platform import Platform
from tasks.engine.check import check
from tasks.engine.finding import Checked, Findings
from tasks.machine.facts import TOOLS, HostFacts, read_host_facts
from tasks.machine.live import LivePlatform
from tasks.machine.managed import judge_managed
from tasks.machine.versions import Versions, judge_etcd, judge_k3s
from tasks.shell.units import MASKED, UNMASK

MAX_SKEW_S = 5  # leases and certificates tolerate more, VRRP and logs that are compared do not
SPARE_BYTES = 5 * 2**30  # the kubelet keeps 10-15 % free by default; loading an image takes its tar's size twice
K3S_SPARE_BYTES = 2**30  # k3s unpacks itself, pods have their logs and empty folders there


@check("check machine")
def check_machine(host: Host, platform: Platform, machine: Machine, live: LivePlatform, running: Versions) -> Checked:
    """The machine is fit: root, its address, its clock; a source's name and flags; what a target needs to join."""
    found = Findings(host.name)
    asked = datetime.now(UTC)
    facts = read_host_facts(host, platform)
    answered = datetime.now(UTC)
    # The machine read its clock at some moment of the round trip.
    _judge_clock(found, max((asked - facts.clock).total_seconds(), (facts.clock - answered).total_seconds()))
    _judge_login(found, facts)
    _judge_address(found, facts, machine)
    _judge_tools(found, facts)
    judge_managed(found, facts.managed, machine)
    if isinstance(machine, Source):
        _judge_name(found, facts, machine)
    elif live.why_live(host, facts) is None:
        _judge_software(found, facts, platform, machine)
        _judge_resources(found, facts, platform)
        _judge_network(found, facts)
        if machine in platform.vip_holders:
            _judge_interface(found, facts, platform.interface_of(machine))
        if machine.etcd and platform.etcd.binary not in facts.missing_commands:
            judge_etcd(found, platform, facts.brings.etcd, running.etcd)
        if not any(path.endswith("/vendor/k3s") for path in facts.missing_files):
            judge_k3s(found, platform, facts.brings.k3s, running.k3s)
    if machine == platform.servers[0] and not facts.has_helm:
        found.warn(
            "helm-missing-on-target", "no `helm` there, backups need it once the sources have left", "install it there"
        )
    docker = f", docker {facts.docker}" if facts.docker else ""
    return found.checked(f"fit: {facts.system}{docker}")


def _judge_clock(found: Findings, skew_s: float) -> None:
    if skew_s > MAX_SKEW_S:
        found.refuse(
            "host-clock-off", f"its clock is {skew_s:.0f} s off, at most {MAX_SKEW_S} s are allowed", "chronyc makestep"
        )


def _judge_login(found: Findings, facts: HostFacts) -> None:
    if facts.uid != 0:
        found.refuse(
            "host-not-root", f"the login has uid {facts.uid}, expected root", "set ssh.user to root, or ssh.become to sudo", final=True
        )


def _judge_address(found: Findings, facts: HostFacts, machine: Machine) -> None:
    if str(machine.address) not in facts.addresses:
        has = ", ".join(address for address in facts.addresses if not address.startswith("127."))
        found.refuse(
            "host-other-address",
            f"it does not have the address {machine.address}, it has {has or 'none'}",
            "write the machine's own address in the config: ip -4 addr show",
            final=True,
        )


def _judge_name(found: Findings, facts: HostFacts, machine: Machine) -> None:
    """A source's node is looked for by the name in the config; k3s takes the hostname unless --node-name is given."""
    called = facts.hostname.lower()
    if machine.name in (called, called.partition(".")[0]) or f"--node-name={machine.name}" in facts.k3s_server.split():
        return
    found.warn(
        "host-other-name",
        f"it calls itself {facts.hostname}, the config names it {machine.name}: node name and config must agree",
        "compare with kubectl get nodes, write the node's name in the config",
    )


def _judge_tools(found: Findings, facts: HostFacts) -> None:
    """On sources, too: what asks them whether k3s runs must not hear nothing."""
    for command in TOOLS:
        if command in facts.missing_commands:
            found.refuse("host-command-missing", f"no command {command}", facts.system.install(command), final=True)


def _judge_software(found: Findings, facts: HostFacts, platform: Platform, target: Target) -> None:
    """Without these files and commands steps fail for certain, and the old platform is gone by then; keepalived is only ever
    started by its unit, and hostnamectl needed where the name is another one.
    """
    for path in facts.missing_files:
        found.refuse("bundle-file-missing", f"{path} is missing or empty", "copy the vendor's bundle there", final=True)
    needed = {"keepalived": target in platform.vip_holders, platform.etcd.binary: target.etcd}
    for command in facts.missing_commands:
        if command not in TOOLS and needed.get(command, True):
            final = command not in ("keepalived", "hostnamectl")
            found.refuse("host-command-missing", f"no command {command}", facts.system.install(command), final=final)
    for unit in facts.masked:
        if needed.get(unit, True):
            found.refuse("unit-masked", f"its unit {unit} {MASKED}", UNMASK.format(unit), final=True)
    if not facts.docker_active:
        found.refuse("docker-not-running", "docker does not run", "systemctl start docker")


def _judge_resources(found: Findings, facts: HostFacts, platform: Platform) -> None:
    _judge_rooms(found, facts)
    if facts.remains.mounts:
        shown = ", ".join(sorted(facts.remains.mounts, key=_is_a_pods)[:3])
        found.note(
            "uninstall-unmounts",
            f"{len(facts.remains.mounts)} mounts below the kubelet's and k3s's folders: {shown}, ...: the uninstall unmounts them "
            "first and deletes nothing while one stays",
            "umount there what has to do with neither",
        )


def _judge_rooms(found: Findings, facts: HostFacts) -> None:
    """Images take the most; what k3s itself needs is little beside it on the same file system."""
    needs = (2 * facts.bundle_bytes + SPARE_BYTES, facts.staged_bytes + K3S_SPARE_BYTES)
    judged: set[str] = set()
    for room, needed in zip(facts.rooms, needs, strict=False):
        if room.free_bytes < needed and room.device not in judged:
            what = f"{room.free_bytes >> 20} MB free below {room.folder}, {needed >> 20} MB are needed"
            found.refuse("host-disk-short", what, "make room there")
        judged.add(room.device)


def _judge_interface(found: Findings, facts: HostFacts, interface: str) -> None:
    if interface not in facts.interfaces:
        has = ", ".join(dict.fromkeys(facts.interfaces))
        found.refuse(
            "host-interface-missing",
            f"no interface {interface} with an address, it has {has}",
            "see keepalived.interface and targets[].interface",
        )


def _judge_network(found: Findings, facts: HostFacts) -> None:
    if not facts.has_default_route:
        found.refuse(
            "host-no-default-route",
            "it has no default route; k3s ends there (no default routes found), whatever its --node-ip is",
            "ip route add default via GATEWAY, and into the network's configuration; a gateway that leads nowhere will do",
        )
    if not facts.has_br_netfilter:
        found.warn(
            "host-no-br-netfilter",
            "its kernel has no module br_netfilter: Services are not reached from pods of the same node",
            "install the kernel's modules there: modprobe br_netfilter",
        )


def _is_a_pods(mount: str) -> bool:
    """Whether the kubelet has mounted it; what it is for is known then."""
    return "/kubelet/pods/" in mount or "/kubelet/plugins/" in mount
