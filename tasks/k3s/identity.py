"""Which cluster is live, and how machines join just that one.

Servers share one identity (CA, service-account key) through their datastore, at /bootstrap/<sha256 of the token>[:12]. Up
to v1.20.8 the token's text as it was given names the key, and a server that finds none founds a second cluster in the
live datastore; from v1.20.9 on its password does (k3s-io/k3s#3675). So the datastore is asked which token is right.
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from pydantic import SecretStr

from blocks.errors import HostError, HostUnreachableError, RefusedError
from blocks.kube_credentials import KubeCredentials, parse_kubeconfig
from blocks.ports import Host, KeyValues
from configs.hosts import Machine
from tasks.k3s.flags import DATA_DIRS, OTHER_FLAGS
from tasks.shell.k3s_units import UNITS
from tasks.shell.script import facts, parse_facts
from tasks.shell.units import variables_of

BOOTSTRAP = "/bootstrap/"
_COMMAND_LINE = 'echo "$k3s_started"'
_CONFIG = """grep -hsE '^(token(-file)?|cluster-secret):' "$k3s_config" "$k3s_config".d/*.yaml"""
_VARIABLES = 'printf %s "$k3s_variables"'
_TOKEN_FILES = rf"""
text=$k3s_started$'\n'$({_CONFIG})$'\n'$k3s_variables named=$'(token-file|K3S_TOKEN_FILE)[=: ]+([^ \n]+)(.*)'
while [[ $text =~ $named ]]; do text=${{BASH_REMATCH[3]}}; cat "${{BASH_REMATCH[2]//[\"\']/}}"; echo; done"""
# Settings of drop-ins that a new unit lacks; systemctl cat begins each file with its name.
_DROP_INS = r"""systemctl cat "$k3s_unit" | awk '/^# \// {on = /\.conf$/} on && sub(/=.*/, "") && /^[A-Z][A-Za-z]*$/ && !seen[$0]++'"""
# A server keeps its data where --data-dir says; of another cluster's, in the usual folder, may be something left.
_EVERY = 'for d in "${{dirs[@]}}"; do cat "$d/server/{}"; done'
QUESTION = UNITS + DATA_DIRS + facts(
    {
        "uid": "id -u",
        "unit": 'echo "$k3s_unit"',
        "active": 'systemctl is-active "$k3s_unit"',
        "kubeconfig": "cat /etc/rancher/k3s/k3s.yaml",
        "token": _EVERY.format("token"),
        "agent_token": _EVERY.format("node-token"),
        "users": _EVERY.format("cred/passwd"),
        "variables": _VARIABLES,
        "drop_ins": _DROP_INS,
        "command_line": _COMMAND_LINE,
        "config": _CONFIG,
        "other_flags": OTHER_FLAGS,
        "files": _TOKEN_FILES,
    }
)
FULL = re.compile(r"K10([0-9a-f]{64})::([^:\s]+):(\S+)")
IN_COMMAND_LINE = re.compile(r"(?<=\s)(?:--token|-t|--cluster-secret)[= ](\S+)")
PROXY = re.compile("(no|http|https)_proxy", re.IGNORECASE)  # variables that k3s's installer writes down for the unit
TOKENS = ("K3S_TOKEN", "K3S_CLUSTER_SECRET")


@dataclass(frozen=True)
class ClusterAccess:
    """The administrator's credentials and all texts that may be the servers' token. Kept in memory only."""

    server: str
    """Name of the machine that it was read from: a live server."""
    credentials: KubeCredentials
    tokens: tuple[SecretStr, ...]
    """All texts that may be the servers' token; see `given_tokens`."""
    agent_token: SecretStr
    """What agents join with: where the platform has an agent token, it can't add servers."""
    unit: str = "k3s"
    """Its k3s's unit, which an installer may have given another name."""
    other_flags: tuple[str, ...] = ()
    """The flags that this server has from variables and its config.yaml."""
    variables: Mapping[str, SecretStr] = field(default_factory=dict)
    """By name, all that its unit sets for k3s."""
    settings: tuple[str, ...] = ()
    """Names of what drop-ins set in its unit."""


def find_cluster_access(
    candidates: Iterable[Machine], hosts: Mapping[str, Host], ca_sha256: str | None
) -> ClusterAccess:
    """Access from the first candidate that runs a server of the live cluster, the one with CA `ca_sha256` once that is known.

    Raises RefusedError when none does, with the reason of each.
    """
    reasons = []
    for machine in candidates:
        try:
            said = parse_facts(hosts[machine.name].run(QUESTION, what="reading the kubeconfig").stdout)
        except HostUnreachableError as error:
            reasons.append(error.message)
            continue
        if said["uid"] != "0":
            reasons.append(f"{machine.name}: logged in as uid {said['uid']}: set ssh.user to root, or ssh.become to sudo")
            continue
        if said["active"] != "active":
            reasons.append(f"{machine.name}: {said['unit']} is {said['active'] or 'not installed'}")
            continue
        found = parse_kubeconfig(machine.name, said["kubeconfig"])
        if ca_sha256 in (None, found.ca_sha256):
            return _access(machine.name, said, found)
        reasons.append(f"{machine.name}: its k3s belongs to another cluster")
    raise RefusedError(
        "cluster: no server of the live cluster answers: " + "; ".join(reasons), id="cluster-no-live-server"
    )


def _access(host: str, said: Mapping[str, str], credentials: KubeCredentials) -> ClusterAccess:
    full = parse_token(host, said["token"], credentials.ca_sha256)
    return ClusterAccess(
        server=host,
        credentials=credentials,
        tokens=given_tokens(said, full),
        agent_token=SecretStr(_agent_token(said, full)),
        unit=said["unit"],
        other_flags=tuple(said["other_flags"].split()),
        variables={name: SecretStr(value) for name, value in variables_of(said["variables"]).items() if value},
        settings=tuple(said["drop_ins"].split()),
    )


def parse_token(host: str, text: str, ca_sha256: str) -> str:
    """The token of this cluster that the server hands out. Raises HostError, without any part of it, when there is none."""
    full = _of_cluster(text, ca_sha256)
    token = FULL.fullmatch(full)
    if token is None or token[2] != "server":
        raise HostError(
            f"{host}: server/token below k3s's data folder (/var/lib/rancher/k3s, or --data-dir) does not hold a token of the form "
            "K10...::server:...: stat it there; k3s writes it when a server starts",
            id="k3s-token-malformed",
        )
    if token[1] != ca_sha256:
        raise HostError(
            f"{host}: its server token and its k3s.yaml belong to different clusters: "
            "k3s kubectl get nodes there; systemctl restart k3s writes k3s.yaml again",
            id="k3s-token-foreign",
        )
    return full


def _agent_token(said: Mapping[str, str], full: str) -> str:
    """What agents join with. Up to k3s 1.24 node-token is the servers' token also where agents have one of their own
    (k3s-io/k3s#5619), and agents are refused with it: what the server accepts from user `node` is in its passwd file.
    """
    ca, _, password = FULL.fullmatch(full).groups()  # type: ignore[union-attr]  # `parse_token` has seen to it
    users = {row[1]: row[0] for row in csv.reader(said["users"].splitlines()) if len(row) > 1}
    if users.get("node", password) != password:
        return f"K10{ca}::node:{users['node']}"
    return _of_cluster(said["agent_token"], ca) or full


def _of_cluster(text: str, ca_sha256: str) -> str:
    """Of several tokens, one a line, that of this cluster; otherwise the last one."""
    lines = [line.strip() for line in text.splitlines()]
    return next((line for line in lines if ca_sha256 in line), lines[-1] if lines else "")


def given_tokens(said: Mapping[str, str], full: str) -> tuple[SecretStr, ...]:
    """Every text that may be the servers' token, the likeliest first: as it was given to the server that was read (by
    environment, command line, config.yaml or file), none, and what it hands out; of a full token its password, too.
    """
    config = [line.partition(":")[2].strip() for line in said["config"].splitlines() if not line.startswith("token-file:")]
    variables = variables_of(said["variables"])
    given = [
        *(variables[name] for name in TOKENS if name in variables),
        *IN_COMMAND_LINE.findall(f" {said['command_line']}"),
        *(value.strip("\"'") for value in config),
        *(line.strip() for line in said["files"].splitlines()),
    ]
    texts = [form for text in (*given, "") for form in (text, password_of(text))]
    return tuple(map(SecretStr, dict.fromkeys([*texts, password_of(full), full])))


def password_of(token: str) -> str:
    """The part that is secret: of a full token what follows its user, of any other text all of it."""
    found = FULL.fullmatch(token)
    return found[3] if found else token


def key_of(token: str) -> str:
    """Where a server that was given this text looks for its cluster's identity."""
    return BOOTSTRAP + hashlib.sha256(token.encode()).hexdigest()[:12]


def find_live_token(present: Collection[str], access: ClusterAccess) -> SecretStr:
    """The text with which a server of any version joins the live cluster: the first that one of its datastore's keys is
    named by. Raises RefusedError when there is none.
    """
    if not present:
        raise RefusedError(
            "cluster: the etcd of the config holds no /bootstrap/ key, so it is not the servers' datastore: "
            f"see K3S_DATASTORE_ENDPOINT in /etc/systemd/system/{access.unit}.service.env on {access.server}",
            id="k3s-other-datastore",
        )
    for token in access.tokens:
        if key_of(token.get_secret_value()) in present:
            return token
    raise RefusedError(
        f"cluster: none of the tokens on {access.server} (variables and ExecStart of {access.unit}, config.yaml, token file, none) is "
        f"the one that its datastore's {', '.join(present)} is named by: a server would found a second cluster: restart {access.unit} on "
        f"{access.server} with the token that the datastore was begun with",
        id="k3s-token-unknown",
    )


def server_token(keys: KeyValues, access: ClusterAccess) -> SecretStr:
    """What a server joins with. Raises RefusedError also when the datastore has more than one cluster's identity."""
    present = keys.names(BOOTSTRAP)
    token = find_live_token(present, access)
    others = [key for key in present if key != key_of(token.get_secret_value())]
    if others:
        raise RefusedError(
            f"cluster: its datastore holds a second identity, {', '.join(others)}: a server has joined with another token and "
            "founded a cluster of its own: find the API server with another CA, stop its k3s, etcdctl del that key",
            id="k3s-two-identities",
        )
    return token
