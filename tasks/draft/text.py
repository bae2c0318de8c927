"""The draft as an operator gets it: YAML whose comments say where each value comes from, and what a person must decide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from blocks.ports import EtcdApi, KubeApi, Member
from configs.database import Database
from configs.etcd import Etcd, EtcdTls
from configs.hosts import Source
from configs.lake import Lake
from configs.rendering import rendered
from configs.ssh import Login
from tasks.draft.machine import SourceMachine
from tasks.draft.nodes import Knows, Nodes, port_of, sort_nodes, written
from tasks.draft.services import find_database, ports
from tasks.draft.vip import find_vip
from tasks.etcd.members import is_on
from tasks.lake.lake import names_of

DECIDE = "# DECIDE: "
"""Begins each place that a person must answer."""
VALUES = {
    "expired_days": "common.env.ENV_EXPIRED_DAYS",
    "glusterfs_nodes": "common.env.ENV_GLUSTERFS_NODE_HOSTNAMES",
    "node_selector_value": "common.nodeSelectorValue",
}
"""What the config says of the console's values, by their paths; see tasks/database/backup_ctl.py."""
TLS_FILES = ("cert-file", "key-file", "trusted-ca-file")


def draft_text(
    platform: str,
    machine: SourceMachine,
    kube: KubeApi,
    etcd: EtcdApi,
    *,
    ssh: Mapping[str, Any],
    tls: Mapping[str, str] | None = None,
    knows: Knows,
) -> str:
    """A config of this name, with `ssh` and the files of `tls` as the operator gave them. It holds no secret: none is read for it."""
    members = etcd.members()
    nodes = sort_nodes(kube.nodes(), kube.server_addresses(), members)
    login, services = Login(**{name: ssh[name] for name in ssh.keys() & Login.model_fields.keys()}), ports(kube)
    return rendered(
        "draft.yaml.j2",
        platform=platform,
        source=machine.name,
        ssh=ssh,
        sources=[written(source, login, knows) for source in nodes.sources],
        kept=nodes.kept,
        remarks=(*nodes.remarks, *_unknown_keys(nodes, login, knows)),
        vip=find_vip(machine),
        etcd=_etcd(machine, nodes.sources, members),
        tls=tls and {**tls, "members": str(PurePosixPath(tls["cert"]).parent / "members")},
        tls_files=[f"--{name}={machine.etcd[name]}" for name in TLS_FILES if name in machine.etcd],
        tls_folder=EtcdTls.model_fields["folder"].default,
        k3s=_k3s(machine),
        release=machine.release,
        backup=_backup(machine, nodes.sources),
        lake=_lake(machine),
        bricks=_bricks(machine, nodes.sources),
        database=(database := find_database(kube, services)),
        passwords={"password": {"env": "DATABASE_PASSWORD"}, "root_password": {"env": "DATABASE_ROOT_PASSWORD"}},
        time_zone=Database.model_fields["time_zone"].default,
        node_ports=[port for port in services if port.node_port and not (database and port.is_sql)],
    )


def _unknown_keys(nodes: Nodes, login: Login, knows: Knows) -> list[str]:
    unknown = (source for source in nodes.sources if port_of(source, login.port, knows) is None)
    return [f"host key of {s.name} unknown: ssh-keyscan -p {login.port} {s.address}, compare, append to known_hosts" for s in unknown]


def _etcd(machine: SourceMachine, sources: Sequence[Source], members: Sequence[Member]) -> dict[str, Any]:
    own = next((source for source in sources if str(source.address) in machine.addresses), None)
    peers = [url for member in members if own and is_on(own, member) for url in member.peer_urls]
    said = {
        "data_dir": machine.etcd.get("data-dir"),
        "client_port": machine.client_port,
        "peer_port": int(peers[0].rpartition(":")[2]) if peers else None,
        "cluster_token": machine.etcd.get("initial-cluster-token", "etcd-cluster"),  # etcd's default
    }
    defaults = {name: Etcd.model_fields[name].default for name in ("client_port", "peer_port")}
    return {name: value for name, value in said.items() if value not in (None, defaults.get(name))}


def _k3s(machine: SourceMachine) -> dict[str, Any]:
    docker = "--docker" in dict(machine.server)
    return {"api_port": machine.api_port, **({} if docker else {"agent_args": []})}


def _backup(machine: SourceMachine, sources: Sequence[Source]) -> dict[str, Any]:
    """What Helm says of the console, in the config's words; without a release the defaults hold."""
    release = machine.release
    if release is None:
        return {}
    values = {name: release.values[path] for name, path in VALUES.items() if path in release.values}
    names = {name: source.name for source in sources for name in names_of(source)}
    bricks = [names[node] for node in values.pop("glusterfs_nodes", "").split(",") if node in names]
    days = values.pop("expired_days", "")
    own = next((source.name for source in sources if str(source.address) in machine.addresses), None)
    return {
        "release": release.name,
        "namespace": release.namespace,
        "helm_host": own,
        **({"expired_days": int(days)} if days.isdigit() else {}),
        **({"glusterfs_nodes": bricks} if bricks else {}),
        **values,
    }


def _lake(machine: SourceMachine) -> str:
    """The folder of the archives: where some lie, or the usual one's name below the first mount."""
    usual = PurePosixPath(Lake().folder)
    mounted = next((where for _, _, where in machine.lake.mounts), None)
    return machine.archives or str(PurePosixPath(mounted) / usual.name if mounted else usual)


def _bricks(machine: SourceMachine, sources: Sequence[Source]) -> list[str]:
    """The bricks that lie on sources."""
    names = {name for source in sources for name in names_of(source)}
    every = [brick for volume in machine.lake.volumes for brick in volume.bricks]
    return [str(brick) for brick in every if brick.host in names or (brick.uuid and brick.uuid == machine.lake.uuid)]
