"""What new servers are started with: the config's flags or the running servers' own, and whether both agree.

k3s compares servers only where it has a datastore of its own; on an external one a server with another network just joins.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import ip_network

from blocks.errors import HostUnreachableError, RefusedError
from blocks.ports import Host, KubeApi, Node
from configs.hosts import Role
from configs.k3s import ALIKE, SET_BY_EVENKEEL
from configs.platform import Platform
from tasks.engine.check import check
from tasks.engine.finding import Checked, Findings
from tasks.k3s.flags import MASK, OF_VARIABLES, OTHER_FLAGS, SERVER_COMMAND_LINE, Flag, difference, pairs, parse_flags
from tasks.k3s.identity import PROXY, TOKENS, ClusterAccess
from tasks.shell.k3s_units import UNITS

ENDPOINT = "--container-runtime-endpoint"  # cri-dockerd's socket is docker, too
NETWORK = ("--advertise-address", "--bind-address", "--flannel-iface", "--node-external-ip")
OWN = frozenset(
    (*NETWORK, "--config", "-c", "--data-dir", "-d", "--node-external-dns", "--node-internal-dns", "--node-label", "--node-taint")
)
"""Flags that fit one machine only; targets have theirs in `args`, `labels` and `taints`."""
_OURS = """
    K3S_AGENT_TOKEN K3S_AGENT_TOKEN_FILE K3S_DATA_DIR K3S_DATASTORE_CAFILE K3S_DATASTORE_CERTFILE K3S_DATASTORE_ENDPOINT
    K3S_DATASTORE_KEYFILE K3S_TOKEN_FILE K3S_URL
"""
CARRIED = {*OF_VARIABLES, *TOKENS, *_OURS.split(), "Environment", "EnvironmentFile", "ExecStart"}
"""Variables and settings of a server's unit whose effect new servers have, or that they have of their own."""
HIDDEN = "********"  # how k3s shows a secret
NEW_NAMES = {"--no-deploy": "--disable"}
DEFAULTS = {
    ("--cluster-cidr", "10.42.0.0/16"),
    ("--service-cidr", "10.43.0.0/16"),
    ("--cluster-domain", "cluster.local"),
    ("--egress-selector-mode", "agent"),
    ("--flannel-backend", "vxlan"),
    ("--https-listen-port", "6443"),
}


def server_args(platform: Platform, nodes: Iterable[Node], access: ClusterAccess) -> tuple[str, ...]:
    """The flags of new servers, without those of one machine. Raises RefusedError when neither config nor servers say them.

    Those of the server that gave access: of its variables, then its config.yaml's, as k3s has them.
    """
    if platform.k3s.server_args is not None:
        return platform.k3s.server_args
    servers = [*(n for n in nodes if n.name == access.server and n.args[:1] == ("server",)), *_servers(platform, nodes)]
    if not servers:
        raise RefusedError(
            "cluster: no running server says what it was started with (annotation k3s.io/node-args): write k3s.server_args",
            id="k3s-flags-unknown",
        )
    own = {flag for target in platform.targets for flag in pairs(target.args)}
    words = (*(access.other_flags if servers[0].name == access.server else ()), *servers[0].args[1:])
    taken = [flag for flag in pairs(words) if flag not in own and flag[0] not in (*SET_BY_EVENKEEL, *OWN)]
    hidden = [name for name, value in taken if HIDDEN in value or value == MASK]
    if hidden:
        raise RefusedError(
            f"cluster: {servers[0].name} does not show the value of its {', '.join(hidden)}: write k3s.server_args",
            id="k3s-flags-unknown",
        )
    return tuple(dict.fromkeys(f"{name}={value}" if value else name for name, value in taken))


def _servers(platform: Platform, nodes: Iterable[Node]) -> list[Node]:
    """Nodes that say that they are servers: the sources as long as there are any, then the targets; in the config's order."""
    said = {node.name: node for node in nodes if node.args[:1] == ("server",)}
    for machines in (platform.sources, platform.targets):
        found = [said[machine.name] for machine in machines if machine.name in said]
        if found:
            return found
    return []


@check("check k3s flags")
def check_flags(platform: Platform, kube: KubeApi, hosts: Mapping[str, Host], access: ClusterAccess) -> Checked:
    """New servers get the flags of the running ones, or at least those in which all servers of a cluster must agree."""
    found = Findings("cluster")
    nodes = kube.nodes()
    try:
        gets = server_args(platform, nodes, access)
    except RefusedError as error:
        found.refuse("k3s-flags-unknown", error.message.removeprefix("cluster: "), "", final=True)
        return found.checked("unknown")
    _judge_port(found, platform, gets)
    _judge_runtime(found, platform, gets)
    _judge_unit(found, access)
    running = _running(platform, nodes, set(kube.server_addresses()), hosts)
    for name, words in running.items():
        has = parse_flags(words)
        _judge_difference(found, name, _in_effect(has), _in_effect(parse_flags(gets)))
        _judge_own(found, name, has, platform, {flag for flag, _ in parse_flags(gets)})
    return found.checked(f"those of {', '.join(running)}" if running else "no running server to compare with")


def _running(
    platform: Platform, nodes: list[Node], endpoints: set[str], hosts: Mapping[str, Host]
) -> dict[str, tuple[str, ...]]:
    """The words of the running servers: of variables, config.yaml and what the API shows, otherwise the unit's."""
    running = {node.name: (*_read(hosts, node.name, OTHER_FLAGS), *node.args[1:]) for node in _servers(platform, nodes)}
    silent = {node.name for node in nodes if not node.args and node.address in endpoints}
    for source in platform.sources:
        said = _read(hosts, source.name, SERVER_COMMAND_LINE) if source.name in silent else ()
        running |= {source.name: said} if "server" in said else {}
    return running


def _read(hosts: Mapping[str, Host], name: str, script: str) -> tuple[str, ...]:
    """The words that the script prints on that machine; none where it does not answer."""
    try:
        return tuple(hosts[name].run(UNITS + script, what="reading a server's flags").stdout.split()) if name in hosts else ()
    except HostUnreachableError:
        return ()


def _in_effect(flags: set[Flag]) -> set[Flag]:
    """The flags under their present names, without those of one machine and those that say what k3s does anyway."""
    flags = {("--flannel-backend", "none") if name == "--no-flannel" else (NEW_NAMES.get(name, name), value) for name, value in flags}
    services = next((value for name, value in flags if name == "--service-cidr"), "10.43.0.0/16")
    usual = DEFAULTS | {("--cluster-dns", _tenth(services))}
    return {(name, value) for name, value in flags - usual if value != "false" and name not in OWN}


def _tenth(services: str) -> str:
    """The address of the cluster's DNS, unless another one is given."""
    try:
        return str(ip_network(services.partition(",")[0]).network_address + 10)
    except ValueError:
        return ""


def _judge_port(found: Findings, platform: Platform, gets: Iterable[str]) -> None:
    port = dict(pairs(gets)).get("--https-listen-port", "6443")
    if port != str(platform.k3s.api_port):
        found.refuse(
            "k3s-port-differs",
            f"k3s.api_port is {platform.k3s.api_port}, new servers would listen on {port}",
            "write both alike in the config",
            final=True,
        )


def _judge_runtime(found: Findings, platform: Platform, gets: Iterable[str]) -> None:
    """All of a target's images are loaded into docker: its pods would find none of them in k3s's own containerd."""
    for target in platform.targets:
        common = gets if target.role is Role.SERVER else platform.k3s.agent_args
        flags = parse_flags((*common, *target.args))
        if ("--docker", "") not in flags and not any(name == ENDPOINT and "docker" in value for name, value in flags):
            found.refuse(
                "k3s-without-docker",
                "k3s would run its pods in its own containerd, and the bundle's images are loaded into docker",
                f"write --docker in k3s.{'server_args' if target.role is Role.SERVER else 'agent_args'}",
                where=target.name,
                final=True,
            )


def _judge_unit(found: Findings, access: ClusterAccess) -> None:
    left = [name for name in (*access.variables, *access.settings) if name not in CARRIED and not PROXY.fullmatch(name)]
    if left:
        found.warn(
            "k3s-unit-not-carried",
            f"its unit {access.unit} sets {', '.join(left)}, which new nodes don't get",
            "where they need it, after the move: systemctl edit k3s (k3s-agent), systemctl restart it, one machine after another",
            where=access.server,
        )


def _judge_difference(found: Findings, server: str, has: set[Flag], gets: set[Flag]) -> None:
    alike = difference({flag for flag in has if flag[0] in ALIKE}, {flag for flag in gets if flag[0] in ALIKE})
    if alike:
        found.refuse(
            "k3s-critical-flag-differs",
            f"all servers of a cluster must have these alike, and compared with what new ones get {alike}",
            "write the running servers' in k3s.server_args; where they differ among themselves, mend them first",
            where=server,
            final=True,
        )
    others = difference({flag for flag in has if flag[0] not in ALIKE}, {flag for flag in gets if flag[0] not in ALIKE})
    if others:
        found.warn(
            "k3s-flags-differ",
            f"its k3s server has other flags than new ones get: {others}",
            "write the flags of the running servers in k3s.server_args, unless the difference is intended",
            where=server,
        )


def _judge_own(found: Findings, server: str, has: set[Flag], platform: Platform, common: set[str]) -> None:
    lacking = {
        name
        for target in platform.servers
        for name in NETWORK
        if name in dict(has) and name not in common.union(flag for flag, _ in pairs(target.args))
    }
    if lacking:
        found.warn(
            "k3s-flag-of-one-machine",
            f"has {', '.join(sorted(lacking))}, which fits one machine only and is given to no target by itself",
            "write each target's own in its args, unless targets have one network",
            where=server,
        )
