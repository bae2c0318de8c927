"""A machine's own name, and in its /etc/hosts the names of all machines."""

from __future__ import annotations

from collections.abc import Iterable
from shlex import quote

from blocks.errors import VerificationError
from blocks.ports import Host
from configs.hosts import Machine
from configs.platform import Platform
from configs.rendering import rendered
from tasks.engine.finding import Finding, note
from tasks.engine.outcome import Outcome, changed, planned, unchanged
from tasks.engine.run import Run
from tasks.engine.step import step
from tasks.shell.files import diff, read_file, write_file
from tasks.shell.script import STRICT, facts, parse_facts

HOSTS = "/etc/hosts"
BEGIN, END = "# BEGIN evenkeel", "# END evenkeel"
BETWEEN = "255.255.255.255"  # no machine's


@step("set hostname")
def ensure_hostname(run: Run, host: Host, platform: Platform) -> Outcome:
    """Make the machine's hostname its name in the config, now and after a reboot.

    Undo: hostnamectl set-hostname OLD; the old name is in the report.
    """
    # probe
    timeout_s = platform.timeouts.command_s
    question = facts({"now": "uname -n", "file": "cat /etc/hostname"})
    names = parse_facts(host.run(question, what="reading the hostname", timeout_s=timeout_s).stdout)
    old = names["now"]
    if set(names.values()) == {host.name}:
        return unchanged(f"is called {host.name}")
    if run.dry_run:
        return planned(f"{old} becomes {host.name}")

    # act
    with run.acting(host.name, f"setting the hostname, it was {old}"):
        answer = host.run(
            f"{STRICT}hostnamectl set-hostname {quote(host.name)}\n{question}",
            what="setting the hostname",
            timeout_s=timeout_s,
        )

    # verify
    names = parse_facts(answer.stdout)
    if set(names.values()) != {host.name}:
        raise VerificationError(
            f"{host.name}: setting the hostname: hostnamectl succeeded, yet the hostname is {names['now']} and /etc/hostname has "
            f"{names['file']}, expected {host.name}: see hostnamectl status there",
            id="hostname-not-set",
        )
    return changed(f"{old} became {host.name}")


@step("write /etc/hosts")
def ensure_hosts_file(run: Run, host: Host, platform: Platform) -> Outcome:
    """Make the machine resolve every machine's name to its address in the config: one managed block, first in /etc/hosts.

    Lines outside the block stay; those that contradict it are reported. Undo: delete the block.
    """
    # probe
    machines = platform.machines
    resolve = resolution(machines)
    question = facts({"file": read_file(HOSTS), "resolved": resolve})
    said = parse_facts(host.run(question, what="reading /etc/hosts", timeout_s=platform.timeouts.command_s).stdout)
    current = said["file"] + "\n"
    wanted = hosts_file(current, machines)
    findings = _shadowed(host, hosts_conflicts(current, machines, own=host.name))
    if current == wanted and not resolved_wrongly(said["resolved"], machines, own=host.name):
        return unchanged("names all machines", findings=findings)
    if run.dry_run:
        return planned("the managed block is written", diffs=(diff(HOSTS, current, wanted),), findings=findings)

    # act
    with run.acting(host.name, "writing the managed block of /etc/hosts"):
        script = STRICT + write_file(HOSTS, wanted) + facts({"resolved": resolve})
        answer = host.run(script, what="writing /etc/hosts", timeout_s=platform.timeouts.command_s)

    # verify
    wrong = resolved_wrongly(parse_facts(answer.stdout)["resolved"], machines, own=host.name)
    if wrong:
        raise VerificationError(
            f"{host.name}: /etc/hosts is written, yet it resolves {', '.join(wrong)}: see `hosts:` in /etc/nsswitch.conf there",
            id="hosts-file-ignored",
        )
    return changed("the managed block is written", diffs=(diff(HOSTS, current, wanted),), findings=findings)


def resolution(machines: Iterable[Machine]) -> str:
    """The command for a fact: every machine's name with the addresses that it has there, one a line.

    One getent answers for all: it does not say for which name, so between two it is given an address, which it repeats.
    """
    names = [quote(machine.name) for machine in machines]
    keys = " ".join(f"{name} {BETWEEN}" for name in names)
    each = (
        f'$1 == "{BETWEEN}" {{ if ($2 == "STREAM") {{ print all[++n] said; said = ""; split("", seen) }} next }} '
        '!seen[$1]++ { said = said " " $1 }'
    )
    return f"getent ahostsv4 {keys} | awk -v names={quote(' '.join(names))} 'BEGIN {{ split(names, all, \" \") }} {each}'"


def _shadowed(host: Host, lines: Iterable[str]) -> tuple[Finding, ...]:
    what = "/etc/hosts has another address for a machine of the config, below the managed block"
    return tuple(
        note("hosts-line-shadowed", host.name, f"{what}: {line}", "delete the line: with `multi on`, programs get both")
        for line in lines
    )


def hosts_file(current: str, machines: Iterable[Machine]) -> str:
    """`current` with our block first: without `multi on`, the first line that names a host wins."""
    block = rendered("hosts.j2", machines=list(machines))
    return block + _outside_block(current)


def resolved_wrongly(text: str, machines: Iterable[Machine], *, own: str) -> list[str]:
    """Names, in words, whose answers lack the machine's address; `text` has a line for each name, with all of its answers.

    With `multi on`, glibc gathers the lines of /etc/hosts and sorts their addresses, so the first answer says little. A
    machine's own name may be a loopback address, as Debian's installer writes it.
    """
    answers = {name: addresses for name, *addresses in map(str.split, text.splitlines())}
    return [
        f"{machine.name} to {' '.join(found) or 'nothing'}"
        for machine in machines
        for found in [answers.get(machine.name, [])]
        if str(machine.address) not in found and not (machine.name == own and any(map(_is_loopback, found)))
    ]


def _is_loopback(address: str) -> bool:
    return address.startswith("127.")


def hosts_conflicts(current: str, machines: Iterable[Machine], *, own: str) -> list[str]:
    """Lines outside our block that give a machine's name another address; its `own` name may have a loopback address."""
    names = {machine.name: str(machine.address) for machine in machines}
    return [
        line.strip()
        for line in _outside_block(current).splitlines()
        for address, *aliases in [line.partition("#")[0].split() or [""]]
        if any(
            names.get(alias, address) != address and not (alias == own and _is_loopback(address)) for alias in aliases
        )
    ]


def _outside_block(text: str) -> str:
    before, begin, rest = text.partition(BEGIN)
    if not begin:
        return text
    _, end, after = rest.partition(END)
    # Without its end, only the line that begins the block is surely ours.
    kept = after if end else rest.partition("\n")[2]
    return before + kept.lstrip("\n")
