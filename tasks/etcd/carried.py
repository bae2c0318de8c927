"""What new members get of the running ones' flags, and whether that is sound."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from shlex import quote

from blocks.errors import RefusedError
from blocks.ports import EtcdApi, Host, Member
from configs.hosts import Machine
from configs.platform import Platform
from tasks.engine.check import check
from tasks.engine.finding import Checked, Findings
from tasks.etcd.flags import DEFAULTS, Flags, as_words, carried, read_flags
from tasks.etcd.members import member_of, statuses
from tasks.shell.fleet import side_by_side

TIMING = ("heartbeat-interval", "election-timeout")
# Not for a trial: they could hide its answer, and a log file would be made.
LOGGING = re.compile(r"log-(level|outputs?|rotation-.*)|enable-log-rotation")
TRIAL = r"""
try() {{ timeout 20 {0} "$@" 2>&1 </dev/null; }}
if test -x {0}; then
    said=$(try {1} --version) &&
        said=$(try {2} --data-dir=/dev/null/none --listen-client-urls=http://127.0.0.1:1 |
            grep -E 'verif[a-z]+ flags' | grep -v -e --advertise-client-urls)
    echo "${{said:0:600}}"
fi"""
VERDICT = re.compile(r"""(?:error verifying flags, |"error":")(.+?)(?:\. See 'etcd --help'|"}|$)""")
UNREAD = "the flags of its etcd can't be read: unit etcd has no etcd process, and its ExecStart names none"


def carried_flags(hosts: Mapping[str, Host], platform: Platform, members: Collection[Member]) -> Flags:
    """The flags of the first running voter that can be read, sources first, with the config's in their place.

    Raises RefusedError when none can be read and the config gives none: etcd's own defaults are nobody's settings.
    """
    for machine in _running(hosts, platform, members):
        flags = read_flags(hosts[machine.name], timeout_s=platform.timeouts.command_s)
        if flags is not None:
            return _overridden(_carried(flags, platform), platform)
    if not platform.etcd.args:
        raise RefusedError(
            f"etcd: {UNREAD}, on no member's machine: write the flags of the running members as etcd.args in the config",
            id="etcd-flags-unread",
        )
    return _overridden({}, platform)


@check("check etcd flags")
def check_etcd_flags(platform: Platform, hosts: Mapping[str, Host], etcd: EtcdApi) -> Checked:
    """New members get the flags of the running ones, which agree on them, and the targets' etcd knows these."""
    found = Findings("etcd")
    members = etcd.members()
    read = dict(_read(found, hosts, platform, members))
    if not read and not platform.etcd.args:
        return found.checked("no flags known")
    flags = _overridden(next(iter(read.values()), {}), platform)
    _judge_differences(found, read, flags)
    _judge_quota(found, etcd, members, flags)
    joining = [target for target in platform.new_members if target.name in hosts and member_of(members, target) is None]
    answers = side_by_side(lambda target: _tried(hosts[target.name], platform, flags), joining)
    for target, said in zip(joining, answers, strict=True):
        _judge_binary(found, target.name, said)
    return found.checked(f"new members get {' '.join(as_words(flags)) or 'no flags'}")


def _running(hosts: Mapping[str, Host], platform: Platform, members: Collection[Member]) -> Iterator[Machine]:
    """Machines of voters. A learner's may still run another platform's etcd."""
    for machine in platform.machines:
        member = member_of(members, machine)
        if member is not None and not member.is_learner and machine.name in hosts:
            yield machine


def _carried(flags: Flags, platform: Platform) -> Flags:
    return carried(flags, tls=platform.etcd.tls is not None)


def _overridden(flags: Flags, platform: Platform) -> Flags:
    """With the config's flags; one without a value is left out."""
    ours = dict(word.removeprefix("--").split("=", 1) for word in platform.etcd.args)
    both = {**flags, **ours}
    return {name: both[name] for name in sorted(both) if ours.get(name) != ""}


def _read(
    found: Findings, hosts: Mapping[str, Host], platform: Platform, members: Collection[Member]
) -> Iterator[tuple[str, Flags]]:
    running = list(_running(hosts, platform, members))
    read = side_by_side(lambda machine: read_flags(hosts[machine.name], timeout_s=platform.timeouts.command_s), running)
    for machine, flags in zip(running, read, strict=True):
        if flags is None:
            remedy = "write the flags of the running members as etcd.args in the config, and accept this there"
            found.refuse("etcd-flags-unread", UNREAD, remedy, where=machine.name)
            continue
        if "listen-metrics-urls" in flags:
            what = f"--listen-metrics-urls={flags['listen-metrics-urls']} is not carried over to new members"
            found.note("etcd-metrics-not-carried", what, "set it there after the move", where=machine.name)
        yield machine.name, _carried(flags, platform)


def _judge_differences(found: Findings, read: Mapping[str, Flags], flags: Flags) -> None:
    everyone = {**read, "new members": flags}
    for name in sorted({name for one in everyone.values() for name in one}):
        values = {machine: one.get(name, DEFAULTS.get(name, "not set")) for machine, one in everyone.items()}
        if len(set(values.values())) == 1:
            continue
        what = f"--{name} differs: " + ", ".join(f"{machine} {value}" for machine, value in values.items())
        if name in TIMING:
            found.refuse(
                "etcd-timing-differs",
                what,
                "give all members the same, one after the other: edit, systemctl restart etcd",
            )
        elif len({values[machine] for machine in read}) > 1:
            found.warn("etcd-flag-differs", what, "write the right one as etcd.args in the config")


def _judge_quota(found: Findings, etcd: EtcdApi, members: Collection[Member], flags: Flags) -> None:
    """A negative quota is none, 0 the default."""
    written = flags.get("quota-backend-bytes", "0")
    quota = int(
        written if written not in ("", "0") and written.lstrip("-").isdigit() else DEFAULTS["quota-backend-bytes"]
    )
    size = max((status.db_size for status in statuses(etcd, list(members)).values()), default=0)
    if 0 <= quota <= size:
        found.refuse(
            "etcd-quota-small",
            f"the database has {size} bytes, new members' quota is {quota}: with their first write all of etcd would be read-only",
            f"etcdctl compact and defrag, or --quota-backend-bytes={4 * size} on every member and as etcd.args in the config",
            final=True,
        )


def _tried(host: Host, platform: Platform, flags: Flags) -> str:
    """What its etcd says against these flags: it reads all before it answers --version, and judges their values before it opens
    a port or a folder, which it never comes to without --advertise-client-urls (3.4.23, 3.5.16).
    """
    of_values = as_words({name: value for name, value in flags.items() if not LOGGING.fullmatch(name)})
    script = TRIAL.format(quote(platform.etcd.binary), *(" ".join(map(quote, words)) for words in (as_words(flags), of_values)))
    return host.run(script, what="trying etcd's flags", timeout_s=platform.timeouts.command_s, check=False).stdout.strip()


def _judge_binary(found: Findings, name: str, said: str) -> None:
    if said:
        first = said.splitlines()[0]
        verdict = VERDICT.search(first)
        found.refuse(
            "etcd-flag-unknown",
            f"its etcd refuses the flags of the running members: {verdict[1] if verdict else first}",
            "install the version that the platform runs, or leave the flag out: '--NAME=' in etcd.args of the config",
            where=name,
            final=True,
        )
