"""The flags of running servers: read without their secrets, and compared with those that the config gives to new ones.

k3s wants all servers of a cluster to agree on most of them: https://docs.k3s.io/cli/server, "critical configuration values".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from shlex import quote

from configs.k3s import SET_BY_EVENKEEL

Flag = tuple[str, str]

MASK = "..."
# Flags whose values may leave the machine and be reported; of all others only the names. `--NAME-arg` has its own rule.
# No entry: what takes no value (--docker), and what can hold a secret or a login (token, datastore-endpoint, vpn-auth, etcd-s3-*).
_HARMLESS = """
    advertise-address advertise-port airgap-extra-registry bind-address cluster-cidr cluster-dns cluster-domain
    cluster-reset-restore-path config container-runtime-endpoint d data-dir datastore-cafile datastore-certfile
    default-local-storage-path disable egress-selector-mode etcd-snapshot-dir etcd-snapshot-name etcd-snapshot-retention
    etcd-snapshot-schedule-cron flannel-backend flannel-cni-conf flannel-conf flannel-iface helm-job-image
    https-listen-port i image-credential-provider-bin-dir image-credential-provider-config image-service-endpoint l
    lb-server-port log no-deploy node-external-dns node-external-ip node-internal-dns node-ip node-label node-name
    node-taint o pause-image private-registry resolv-conf s secrets-encryption-provider server service-cidr
    service-node-port-range servicelb-namespace snapshotter supervisor-port system-default-registry tls-san v vmodule
    write-kubeconfig write-kubeconfig-group write-kubeconfig-mode
"""
HARMLESS = frozenset(_HARMLESS.split())
SWITCHED = "(true|false)?"  # also of a flag without a value
LOGIN = "://[^/]*@"  # a URL with a user's password
ARGUMENTS = "-arg$"  # flags of a component, as NAME=VALUE
CONFIDENTIAL = "token|secret|passw|passphrase|key|cred"  # in the NAME of such an argument
REGISTRIES = "/etc/rancher/k3s/registries.yaml"  # read without any flag
MADE_BY_K3S = tuple(f"/var/lib/rancher/k3s/{folder}/" for folder in ("agent", "data", "server/cred", "server/db", "server/tls"))
# Paths of these are written to. https://docs.k3s.io/cli/server; kube-apiserver's and the kubelet's own pages.
_WRITTEN = """
    audit-log-path cert-dir default-local-storage-path etcd-snapshot-dir l log log-dir log-file o root-dir write-kubeconfig
"""
WRITTEN = frozenset(_WRITTEN.split())
LISTS = ("--disable", "--no-deploy", "--tls-san")  # k3s splits these at commas

# Variables that stand for a flag (pkg/cli/cmds of v1.20.8; the group came later); a flag that is given besides counts.
OF_VARIABLES = {
    **{"K3S_CONFIG_FILE": "--config", "K3S_DEBUG": "--debug", "K3S_LB_SERVER_PORT": "--lb-server-port"},
    **{"K3S_KUBECONFIG_GROUP": "--write-kubeconfig-group", "K3S_KUBECONFIG_MODE": "--write-kubeconfig-mode"},
    **{"K3S_KUBECONFIG_OUTPUT": "--write-kubeconfig", "K3S_NODE_NAME": "--node-name"},
    **{"K3S_RESOLV_CONF": "--resolv-conf", "K3S_SELINUX": "--selinux"},
}

# `key: value` of config.yaml stands for `--key value`; one word after the other. What holds a blank is masked: it would be
# several words.
_AS_WORDS = r"""
/^[a-z][a-z0-9-]*[+]?:/ { key = value = $0; sub(/[+]?:.*/, "", key); sub(/^[^:]*:[ \t]*/, "", value); say(value) }
/^[ \t]*-[ \t]/ { value = $0; sub(/^[ \t]*-[ \t]*/, "", value); say(value) }
function say(value,   items, count, i) {
    sub(/(^|[ \t])#.*/, "", value); value = unquoted(value)
    count = value ~ /^\[/ ? split(substr(value, 2, index(value, "]") - 2), items, ",") : 1
    if (value !~ /^\[/) items[1] = value
    for (i = 1; i <= count; i++) {
        gsub(/^[ \t]+|[ \t]+$/, "", items[i])
        gsub(/\001/, ",", items[i])
        if (items[i] ~ /[ \t]/) items[i] = "..."
        if (key != "" && items[i] != "") print "--" key "=" items[i]
    }
}
function unquoted(value,   bare, quote, c, i) {
    for (i = 1; i <= length(value); i++) {
        c = substr(value, i, 1)
        if (c == quote) quote = ""
        else if (quote == "" && c ~ /["\047]/) quote = c
        else bare = bare (quote != "" && c == "," ? "\001" : c)
    }
    return bare
}
"""
# What is not a flag, its value, or "server" is left out: it may be the rest of a secret that holds a blank.
_MASKED = rf"""
function shown(name, value,   inner) {{
    sub(/^-+/, "", name); inner = value; sub(/=.*/, "", inner)
    if (value ~ /^{SWITCHED}$/) return value
    if (value ~ LOGIN) return "{MASK}"
    if (name ~ /{ARGUMENTS}/) return inner ~ /^[a-z0-9-]+$/ && inner !~ /{CONFIDENTIAL}/ ? value : "{MASK}"
    return name in harmless ? value : "{MASK}"
}}
BEGIN {{ split("{" ".join(_HARMLESS.split())}", names); for (i in names) harmless[names[i]]; LOGIN = "{LOGIN}"; RS = "\001" }}
{{
    gsub(/[\\\047"]/, " ")
    for (i = 1; i <= NF; i++) {{
        if ($i ~ /^ExecStart=[-@:+!]*[A-Za-z0-9._\/-]+$/ || ($i == "server" && !server++)) words = words " " $i
        name = $i; sub(/=.*/, "", name)
        if (name !~ /^(-[a-z]|--[a-z][a-z0-9-]*)$/) continue
        words = words " " name
        if ($i ~ /=/) words = words "=" shown(name, substr($i, length(name) + 2))
        else if (i < NF && $(i + 1) !~ /^-/ && ($(i + 1) != "server" || server)) words = words "=" shown(name, $(++i))
    }}
}}
END {{ print substr(words, 2) }}
"""
_ON_ONE_LINE = f"2>/dev/null | LC_ALL=C awk {quote(_MASKED)}"


def _from_config(files: str) -> str:
    given = f'given=(); for f in {files}; do test ! -f "$f" || given+=("$f"); done'
    return f"""{given}; test ${{#given[@]}} = 0 || LC_ALL=C awk {quote(_AS_WORDS)} "${{given[@]}}" """


_FLAG_OF = " ".join(f"[{name}]={flag}" for name, flag in OF_VARIABLES.items())
_FROM_VARIABLES = rf"""
    declare -A flag_of=({_FLAG_OF})
    true='^(--debug|--selinux)=(1|t|T|TRUE|True)$'
    variable=$'(^|[^A-Za-z0-9_])({"|".join(OF_VARIABLES)})=["\']?([^"\' \n]+)(.*)'
    rest=$k3s_variables
    while [[ $rest =~ $variable ]]; do
        flag=${{flag_of[${{BASH_REMATCH[2]}}]}}=${{BASH_REMATCH[3]}} rest=${{BASH_REMATCH[4]}}
        [[ ! $flag =~ $true ]] || flag=${{BASH_REMATCH[1]}}=true
        echo "$flag"
    done"""
SERVER_COMMAND_LINE = f"""
{{ {_FROM_VARIABLES}; echo "$k3s_started"; {_from_config('"$k3s_config" "$k3s_config".d/*.yaml')}; }} {_ON_ONE_LINE}"""
"""Shell, after `UNITS`: what a server is started with, by variables, its unit and config.yaml, on one line; values that are not
harmless are masked."""
OTHER_FLAGS = f"""{{ {_FROM_VARIABLES}; {_from_config('"$k3s_config"')}; }} {_ON_ONE_LINE}"""
"""Shell, after `UNITS`: the flags that k3s leaves out of its node's annotation: those of variables, and up to v1.21.0 those of
config.yaml (k3s-io/k3s, fc037e87f8); only from that version on does it read config.yaml.d. Those of the command line count."""


# A unit's ExecStart with its continuation lines, an environment file and config.yaml, as words; `--data-dir=X` is two of them.
_FOLDERS = r"""
function say(kind, path) { if (path ~ /^\/./ && !seen[kind, path]++) print kind, path }
BEGIN { say("data", "/var/lib/rancher/k3s"); say("kubelet", "/var/lib/kubelet") }
FNR == 1 { unit = FILENAME ~ /\.service$/; started = 0; before = "" }
unit && /^ExecStart=/ { started = 1 }
{
    data = unit ? started : /^ *(K3S_DATA_DIR|data-dir)/
    if (!data && (unit || !index($0, "root-dir="))) next
    started = /\\$/
    count = split($0, words, /[\\=\t\047" ]+/)
    for (i = 1; i <= count; i++) {
        if (words[i] == "") continue
        if (data && before ~ /^(--data-dir|-d|K3S_DATA_DIR|data-dir:)$/) say("data", words[i])
        if (before == "root-dir") say("kubelet", words[i])
        before = words[i]
    }
}
"""
_CONFIGS = "/etc/systemd/system/k3s*.service{,.env} /etc/rancher/k3s/config.yaml /etc/rancher/k3s/config.yaml.d/*.yaml"
DATA_DIRS = f"""
{{
    files=(/dev/null)
    for f in {_CONFIGS}; do test ! -f "$f" || files+=("$f"); done
    while read -r kind path; do
        case $kind in data) dirs+=("$path") ;; kubelet) kubelets+=("$path") ;; esac
    done < <(awk {quote(_FOLDERS)} "${{files[@]}}")
}} 2>/dev/null
"""
"""Shell: `dirs` and `kubelets`, the folders below which k3s and its kubelet may keep their data, the usual one first."""


def difference(has: set[Flag], gets: set[Flag]) -> str:
    """What a running server has and new ones don't get, and the reverse, in words; empty when they agree."""
    sides = [("it has", has - gets), ("it lacks", gets - has)]
    return ", ".join(f"{what} {' '.join(sorted(map(_word, flags)))}" for what, flags in sides if flags)


def parse_flags(words: Iterable[str]) -> set[Flag]:
    """Names and values, masked unless harmless, however they are written; without those that are one machine's own."""
    return {(name, _shown(name, value)) for name, value in pairs(words) if name not in SET_BY_EVENKEEL}


def shown(words: Iterable[str]) -> list[str]:
    """The words as they may be reported; what is no flag with "=" stays out of sight unless it is a value that is harmless."""
    return [_word((name, _shown(name, value))) for name, value in pairs(words)]


def pairs(line: Iterable[str]) -> Iterator[Flag]:
    """Names and values of the flags of a command line, lists one by one; the values as they are."""
    words = list(line)
    for word, follower in zip(words, [*words[1:], "-"], strict=False):
        if word.startswith("-"):
            name, equals, value = word.partition("=")
            value = value if equals or follower.startswith("-") else follower
            yield from ((name, each) for each in (value.split(",") if name in LISTS else [value]))


def named_files(words: Iterable[str]) -> dict[str, str]:
    """By path: the flag that names it, or an argument of one. What k3s writes, and what it made itself, is left out."""
    found = {REGISTRIES: "--private-registry"}
    for name, value in pairs(words):
        flag, inner = (name, value) if not re.search(ARGUMENTS, name) else value.partition("=")[::2]
        for path in re.split(",(?=/)", inner):
            if path.startswith("/") and not path.startswith(MADE_BY_K3S) and flag.lstrip("-") not in WRITTEN:
                found[path] = name if flag == name else f"{name}={flag}"
    return found


def _shown(name: str, value: str) -> str:
    """The value if it is harmless, as the machine shows it; "true" is what a flag without a value means."""
    bare, inner = name.lstrip("-"), value.partition("=")[0]
    if re.fullmatch(SWITCHED, value):
        return value.removesuffix("true")
    if re.search(LOGIN, value):
        return MASK
    if re.search(ARGUMENTS, bare):
        return value if re.fullmatch("[a-z0-9-]+", inner) and not re.search(CONFIDENTIAL, inner) else MASK
    return value if bare in HARMLESS else MASK


def _word(flag: Flag) -> str:
    return "=".join(filter(None, flag))
