"""A machine's name, and the names that it knows."""

from __future__ import annotations

from shlex import quote

from blocks.ports import Host
from configs.errors import VerificationError
from configs.platform import Platform
from tasks.outcome import Outcome, changed, planned, unchanged
from tasks.rendering import diff, hosts_conflicts, hosts_file
from tasks.run import Run
from tasks.scripts import STRICT, facts, parse_facts, read_file, write_file
from tasks.step import step

HOSTS = "/etc/hosts"


@step("set hostname")
def ensure_hostname(run: Run, host: Host, platform: Platform) -> Outcome:
    """Make the machine call itself by its inventory name, now and after a reboot.

    Undo: hostnamectl set-hostname OLD; the old name is in the report.
    """
    # probe
    timeout_s = platform.timeouts.command_s
    question = facts({"now": "hostname", "then": "cat /etc/hostname"})
    names = parse_facts(host.run(question, what="reading the hostname", timeout_s=timeout_s).stdout)
    if set(names.values()) == {host.name}:
        return unchanged(f"is called {host.name}")
    if run.dry_run:
        return planned(f"{names['now']} becomes {host.name}")

    # act
    with run.acting(host.name, f"setting the hostname, it was {names['now']}"):
        answer = host.run(
            f"{STRICT}hostnamectl set-hostname {quote(host.name)}\n{question}",
            what="setting the hostname",
            timeout_s=timeout_s,
        )

    # verify
    if set(parse_facts(answer.stdout).values()) != {host.name}:
        raise VerificationError(f"{host.name}: hostnamectl said yes, but the name is {parse_facts(answer.stdout)}")
    return changed(f"{names['now']} became {host.name}")


@step("write /etc/hosts")
def ensure_hosts_file(run: Run, host: Host, platform: Platform) -> Outcome:
    """Make the machine resolve every machine's name to its inventory address: one managed block, first in /etc/hosts.

    Lines outside the block stay; those that contradict it are noted. Undo: delete the block.
    """
    # probe
    machines = platform.machines
    resolve = "".join(f"getent ahostsv4 {quote(machine.name)} | awk 'NR==1 {{print $1}}';" for machine in machines)
    question = facts({"file": read_file(HOSTS), "resolved": resolve})
    said = parse_facts(host.run(question, what="reading /etc/hosts", timeout_s=platform.timeouts.command_s).stdout)
    current = said["file"] + "\n"
    wanted = hosts_file(current, machines)
    notes = tuple(
        f"another address for a name of ours, now shadowed: {line}" for line in hosts_conflicts(current, machines)
    )
    addresses = [str(machine.address) for machine in machines]
    if current == wanted and said["resolved"].splitlines() == addresses:
        return unchanged("names all machines", notes=notes)
    if run.dry_run:
        return planned("the managed block is written", diffs=(diff(HOSTS, current, wanted),), notes=notes)

    # act
    with run.acting(host.name, "writing the managed block of /etc/hosts"):
        script = STRICT + write_file(HOSTS, wanted) + facts({"resolved": resolve})
        answer = host.run(script, what="writing /etc/hosts", timeout_s=platform.timeouts.command_s)

    # verify
    resolved = parse_facts(answer.stdout)["resolved"].splitlines()
    wrong = [f"{m.name} -> {got}" for m, got in zip(machines, resolved, strict=False) if got != str(m.address)]
    if wrong or len(resolved) != len(machines):
        raise VerificationError(
            f"{host.name}: /etc/hosts is written, yet {', '.join(wrong) or 'a name'} resolves otherwise: see nsswitch.conf"
        )
    return changed("the managed block is written", diffs=(diff(HOSTS, current, wanted),), notes=notes)
