"""Whether a machine can be worked on. It is asked everything in one round trip, and all that is wrong is told at once."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from blocks.errors import RefusedError
from blocks.ports import Host
from configs.hosts import Machine, Source, Target
from configs.platform import Platform
from tasks.engine.outcome import Outcome, unchanged
from tasks.engine.run import Run
from tasks.engine.step import step
from tasks.k3s.flags import differing
from tasks.machine.facts import HostFacts, read_host_facts
from tasks.machine.live import Live
from tasks.machine.versions import Versions, why_not_beside, worth_a_thought

MAX_SKEW_S = 5  # leases and certificates of this job bear more, VRRP and logs read side by side do not
SPARE_BYTES = 5 * 2**30  # kubelet keeps 10-15 % free by default; an image takes its tar's size twice while loaded


@step("check machine")
def check_machine(
    run: Run, host: Host, platform: Platform, machine: Machine, live: Live, running: Versions
) -> Outcome:
    """Make sure that the machine can be worked on: root, clock, address, and on a target bundle, commands, versions and space.

    Changes nothing. Undo: none needed.
    """
    # probe
    asked = datetime.now(UTC)
    found = read_host_facts(host, platform)
    answered = datetime.now(UTC)
    # The machine read its clock at some moment of the round trip.
    skew_s = max((asked - found.clock).total_seconds(), (found.clock - answered).total_seconds())
    brings = found.brings if isinstance(machine, Target) and machine.etcd else replace(found.brings, etcd="")
    joins = isinstance(machine, Target) and live.why_live(host, found) is None
    wrong = [
        *([f"uid {found.uid}: set ssh.user to root"] if found.uid != 0 else []),
        *([f"its clock is {skew_s:.0f} s off: chronyc makestep"] if skew_s > MAX_SKEW_S else []),
        *([f"it does not have the address {machine.address}"] if str(machine.address) not in found.addresses else []),
        *(_wrong_on_target(found, platform) if joins else []),
        *(why_not_beside(brings, running) if joins else []),
    ]
    if wrong:
        raise RefusedError("\n".join(f"{host.name}: {what}" for what in wrong))

    # act
    # verify
    notes = [*_worth_a_thought(found, platform, machine), *(worth_a_thought(brings, running) if joins else [])]
    return unchanged("fit", notes=tuple(notes))


def _worth_a_thought(found: HostFacts, platform: Platform, machine: Machine) -> list[str]:
    other = differing(found.k3s_server, platform.k3s.server_args) if isinstance(machine, Source) else ""
    helpless = machine == platform.servers[0] and not found.has_helm
    return [
        *([f"k3s.server_args are not its server's flags: {other}"] if other else []),
        *(["no `helm` there: backups need it once the sources have left: install it"] if helpless else []),
    ]


def _wrong_on_target(found: HostFacts, platform: Platform) -> list[str]:
    needed = 2 * found.bundle_bytes + SPARE_BYTES
    interface = platform.keepalived.interface
    return [
        *(f"no {path}: copy the vendor's bundle there" for path in found.missing_files),
        *(f"no command {command}: apt-get install it there" for command in found.missing_commands),
        *(
            [f"{found.free_bytes >> 20} MB free below /var/lib, {needed >> 20} MB are needed: make room"]
            if found.free_bytes < needed
            else []
        ),
        *([f"no interface {interface}: see keepalived.interface"] if interface not in found.interfaces else []),
        *(["docker does not run: systemctl start docker"] if not found.docker_active else []),
        *(f"uninstalling would delete through a live mount, {mount}: umount it there" for mount in found.mounts),
    ]
