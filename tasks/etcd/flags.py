"""The flags of the running members: read as they are in force, compared, and carried over to the new ones.

A member with a smaller quota than the others makes all of etcd read-only as soon as it applies a write; members with another
heartbeat or election timeout hold elections without need. So a new member gets what the running ones were started with.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from pathlib import PurePosixPath

import yaml

from blocks.ports import Host
from tasks.shell.script import facts, parse_facts
from tasks.shell.units import variables_of

Flags = dict[str, str]

ARCH = "ETCD_UNSUPPORTED_ARCH"  # known as a variable only; without it etcd does not start on such a machine
DEFAULTS = {
    **{"heartbeat-interval": "100", "election-timeout": "1000", "quota-backend-bytes": str(2 * 2**30)},
    **{"client-cert-auth": "false", "peer-client-cert-auth": "false"},
}
# A machine's own, or the membership's; those of TLS name files that targets don't have.
OWN = re.compile(
    r"(name|data-dir|wal-dir|config-file|force-new-cluster|version|help|h)"
    r"|(listen|advertise|initial|discovery|proxy)(-.*)?"
    r"|(.*-)?(cert|key|ca|crl|tls|cipher|san)(-.*)?"  # but for OF_TLS
)
# What members demand of certificates, where there are any; which files these are is each machine's own.
_OF_TLS = """
    cipher-suites client-cert-allowed-hostname client-cert-auth experimental-peer-skip-client-san-verification
    peer-cert-allowed-cn peer-cert-allowed-hostname peer-client-cert-auth tls-max-version tls-min-version
"""
OF_TLS = frozenset(_OF_TLS.split())
SECURITY = {"client-transport-security": "", "peer-transport-security": "peer-"}
"""Sections of a config file, and what the flags of each begin with."""
# What etcd reads from its environment; a flag that is none of these it ignores there, with a warning.
_IN_ENVIRONMENT = """
    auth-token auth-token-ttl auto-compaction-mode auto-compaction-retention auto-tls backend-batch-interval
    backend-batch-limit backend-bbolt-freelist-type bcrypt-cost cert-file cipher-suites client-cert-allowed-hostname
    client-cert-auth client-cert-file client-crl-file client-key-file compact-hash-check-enabled compact-hash-check-time
    compaction-batch-limit config-file corrupt-check-time cors data-dir debug election-timeout enable-grpc-gateway
    enable-log-rotation enable-pprof enable-v2 feature-gates grpc-keepalive-interval grpc-keepalive-min-time
    grpc-keepalive-timeout heartbeat-interval host-whitelist key-file listen-metrics-urls log-format log-level log-outputs
    log-package-levels log-rotation-config-json logger max-concurrent-streams max-learners max-request-bytes max-snapshots
    max-txn-ops max-wals memory-mlock metrics name peer-auto-tls peer-cert-allowed-cn peer-cert-allowed-hostname
    peer-cert-file peer-client-cert-auth peer-client-cert-file peer-client-key-file peer-crl-file peer-key-file
    peer-trusted-ca-file pre-vote quota-backend-bytes raft-read-timeout raft-write-timeout snapshot-catchup-entries
    snapshot-count socket-reuse-address socket-reuse-port strict-reconfig-check tls-max-version tls-min-version
    trusted-ca-file unsafe-no-fsync v2-deprecation wal-dir warning-apply-duration warning-unary-request-duration
    watch-progress-notify-interval
"""
IN_ENVIRONMENT = frozenset(_IN_ENVIRONMENT.split())
NANOSECONDS = re.compile(
    r"(?!heartbeat-interval|election-timeout).*-(time|interval|timeout|duration)"
)  # numbers in a config file

# The process knows what its unit, drop-ins, files and shells have made of it; the unit knows it also when etcd is stopped.
SHELL = r"""
{
    words='' environ='' files='' config='' more='' pid=$(systemctl show -p MainPID etcd) unit=$(systemctl cat etcd)
    pid=${pid#MainPID=}
    read -r more <"/proc/$pid/task/$pid/children"
    for p in $pid $more; do
        word=''; IFS= read -r -d '' word <"/proc/$p/cmdline"
        case $word in etcd | */etcd) ;; *) continue ;; esac
        while IFS= read -r -d '' word; do words+=$word$'\n'; done <"/proc/$p/cmdline"
        while IFS= read -r -d '' word; do case $word in ETCD_*) environ+=$word$'\n' ;; esac; done <"/proc/$p/environ"
        break
    done
    while IFS= read -r line; do
        case $line in EnvironmentFile=*) line=${line#*=} ;; *) continue ;; esac
        for f in ${line#-}; do  # a pattern is one for systemd, too
            while IFS= read -r word || test -n "$word"; do case $word in ETCD_*) files+=$word$'\n' ;; esac; done <"$f"
        done
    done <<<"$unit"
    words=${words%$'\n'} environ=${environ%$'\n'} files=${files%$'\n'}
    line="$words $unit" variables="$environ"$'\n'"$files"$'\n'"$unit"
    option='config-file[= ]+([^ ]+)' variable=$'ETCD_CONFIG_FILE=([^ \n]+)'
    if [[ ${line//$'\n'/ } =~ $option ]] || [[ $variables =~ $variable ]]; then config=${BASH_REMATCH[1]//[\"\']/}; fi
} 2>/dev/null </dev/null
"""
SETTINGS = r"""{ printf '%s\n' "$words" "$environ" "$files" "$unit"; test -z "$config" || cat "$config"; } | tr '\n' ' ' | tr -d "\"'" """
"""Shell, after `SHELL`: all texts that etcd may have a setting from, on one line and without quotes."""
VALUE = "sed -E 's/^[^= :]+[= :]+//'"
"""Shell: of `name=value`, `name value` and `name: value` the value."""
QUESTION = SHELL + facts(
    {
        "words": """printf '%s\\n' "$words" """,
        "environ": """printf '%s\\n' "$environ" """,
        "unit": """printf '%s\\n' "$unit" """,
        "files": """printf '%s\\n' "$files" """,
        "config": 'test -z "$config" || cat "$config"',
    }
)


def own_file(name: str) -> str:
    """Shell, after `SHELL`: the file, its `cert` or its `key`, that etcd shows to clients, or else to other members."""
    return f"{SETTINGS} | grep -oiE '(^| )(--?|etcd_)?{name}[-_]file[= :]+[^ ]+' | sed 's/^ *//' | {VALUE} | head -n 1"


def read_flags(host: Host, *, timeout_s: float) -> Flags | None:
    """All flags of the machine's etcd, by name without dashes; None when they can't be known."""
    return parse_flags(parse_facts(host.run(QUESTION, what="reading etcd's flags", timeout_s=timeout_s).stdout))


def parse_flags(said: Mapping[str, str]) -> Flags | None:
    """The flags in force: of the process if there is one, otherwise of the unit. A config file makes etcd ignore all others."""
    try:
        words, environment = said["words"].splitlines(), variables_of(said["environ"])
        if not words:
            words, environment = _of_unit(said["unit"], said["files"])
        if not words:
            return None
        arch = {ARCH: environment[ARCH]} if ARCH in environment else {}
        flags = {**_of_environment(environment), **_of_words(words)}
        return {**arch, **(_of_config(said["config"]) if "config-file" in flags else flags)}
    except (ValueError, yaml.YAMLError):  # an open quote, a config file that is none
        return None


def carried(flags: Flags, *, tls: bool = False) -> Flags:
    """What a new member gets, too: everything but a machine's own, in one order, so that a unit is the same at every run."""
    common = OF_TLS | {ARCH} if tls else {ARCH}
    return {name: flags[name] for name in sorted(flags) if name in common or not OWN.fullmatch(name)}


def as_words(flags: Flags) -> tuple[str, ...]:
    """The flags as words of a command line; what is a variable only is left out."""
    return tuple(f"--{name}={value}" for name, value in flags.items() if name != ARCH)


def _of_words(words: list[str]) -> Flags:
    """Go's flags: one dash or two, `-name=value`, `-name value`, and switches without a value."""
    found, rest = Flags(), words[1:]
    while rest:
        name, equals, value = rest.pop(0).lstrip("-").partition("=")
        if not equals:
            value = rest.pop(0) if rest and re.match(r"[^-]|-\d|$", rest[0]) else "true"
        found[name] = value
    return found


def _of_environment(environment: Mapping[str, str]) -> Flags:
    ours = ((key, value) for key, value in environment.items() if key.startswith("ETCD_"))
    named = ((key.removeprefix("ETCD_").lower().replace("_", "-"), value) for key, value in ours)
    return {name: value for name, value in named if name in IN_ENVIRONMENT or name.startswith("experimental-")}


def _of_config(text: str) -> Flags:
    found = yaml.safe_load(text)
    if not isinstance(found, dict):
        raise ValueError("no mapping")
    sections = [(prefix, found.get(section)) for section, prefix in SECURITY.items()]
    secure = {f"{prefix}{name}": value for prefix, section in sections for name, value in (section or {}).items()}
    return {name: _as_flag(name, value) for name, value in {**found, **secure}.items() if not isinstance(value, dict)}


def _as_flag(name: str, value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int) and NANOSECONDS.fullmatch(name):
        return f"{value}ns"
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def _of_unit(unit: str, files: str) -> tuple[list[str], dict[str, str]]:
    """The words of ExecStart from etcd on, and its variables. The last ExecStart counts; a shell's command is looked into."""
    whole = re.sub(r"\\\n", " ", "\n".join(line for line in unit.splitlines() if not re.match(r"\s*[#;]", line)))
    settings = [line.strip().partition("=")[::2] for line in whole.splitlines()]
    environment = variables_of(f"{whole}\n{files}")
    start = [value for name, value in settings if name == "ExecStart"][-1:]
    words = shlex.split(_expanded(start[0].lstrip("@-:+!"), environment)) if start else []
    if words and PurePosixPath(words[0]).name in ("sh", "bash") and len(words) > 2:
        words = shlex.split(words[-1])
    at = next((n for n, word in enumerate(words) if PurePosixPath(word).name == "etcd"), len(words))
    return ([] if any("docker" in word or "podman" in word for word in words[:at]) else words[at:]), environment


def _expanded(text: str, environment: Mapping[str, str]) -> str:
    return re.sub(r"\$\{?(\w+)\}?", lambda variable: environment.get(variable[1], ""), text)
