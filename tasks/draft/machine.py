"""What one running source says: its k3s, its etcd, its keepalived, its Helm, its file lake."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from blocks.errors import RefusedError
from blocks.etcd_urls import is_own_only
from blocks.ports import Host
from configs.database import Backup
from configs.timeouts import Timeouts
from tasks.database.backup_ctl import KUBECONFIG, read_release
from tasks.engine.finding import FindingsError
from tasks.etcd.flags import Flags, read_flags
from tasks.k3s.flags import SERVER_COMMAND_LINE, Flag, pairs
from tasks.k3s.identity import ClusterAccess
from tasks.lake.daemon import Daemon, read_daemon
from tasks.shell.k3s_units import UNITS
from tasks.shell.script import facts, parse_facts
from tasks.vip.instance import Instance, read_instances

CONSOLE = "backup-ctl"  # in the name of its chart
ARCHIVES = r"""while read -r _ where kind _; do
    test "$kind" != fuse.glusterfs || timeout 10 find "$where" -maxdepth 2 -name 'tidb-backup-*.tar.gz' -printf '%h\n' -quit
done </proc/mounts"""
QUESTION = UNITS + facts(
    {
        "addresses": 'ip -4 -o addr show | while read -r _ _ _ address _; do echo "${address%/*}"; done',
        "server": SERVER_COMMAND_LINE,
        "releases": f"{KUBECONFIG}timeout 20 helm list -a -A -o json",
        "archives": ARCHIVES,
    }
)


@dataclass(frozen=True)
class Release:
    """The console for backups, as Helm has installed it."""

    name: str
    namespace: str
    chart: str
    values: dict[str, str] = field(repr=False)
    """By their paths. They can hold a secret."""


@dataclass(frozen=True)
class SourceMachine:
    """A running machine of the platform."""

    name: str
    addresses: tuple[str, ...]
    server: tuple[Flag, ...]
    """What its k3s server is started with; values that are not harmless are masked."""
    etcd: Flags = field(repr=False)
    instances: tuple[Instance, ...]
    no_instance: str
    """Why its keepalived has no instance that can be read."""
    lake: Daemon
    archives: str
    """The folder on the file lake that has archives; empty when none was found."""
    release: Release | None

    @property
    def api_port(self) -> int:
        """Where its API answers."""
        return int(dict(self.server).get("--https-listen-port", "6443"))

    @property
    def client_url(self) -> str:
        """Where its etcd answers clients, as it says itself, at whatever address."""
        said = [url for name in ("listen-client-urls", "advertise-client-urls") for url in self.etcd.get(name, "").split(",") if url]
        return next((url for url in said if not is_own_only(url)), next(iter(said), "http://localhost:2379"))

    @property
    def client_port(self) -> int:
        return urlsplit(self.client_url).port or 2379

    @property
    def etcd_by_tls(self) -> bool:
        return urlsplit(self.client_url).scheme == "https"


def read_machine(host: Host) -> SourceMachine:
    """The machine as it is now. Raises RefusedError when it runs no etcd whose flags can be read: they are the platform's."""
    timeouts = Timeouts()
    answer = host.run(QUESTION, what="reading what the machine runs", timeout_s=timeouts.command_s)
    said = parse_facts(answer.stdout)
    flags = read_flags(host, timeout_s=timeouts.command_s)
    if flags is None:
        raise RefusedError(
            f"{host.name}: unit etcd there has no etcd process, and its ExecStart names none; expected a member of the platform's etcd: "
            "give another machine as --source: etcdctl member list has them",
            id="draft-no-etcd",
        )
    instances, why = _instances(host, timeouts)
    return SourceMachine(
        name=host.name,
        addresses=tuple(said["addresses"].splitlines()),
        server=tuple(pairs(said["server"].split())),
        etcd=flags,
        instances=instances,
        no_instance=why,
        lake=read_daemon(host, timeouts.command_s),
        archives=said["archives"].partition("\n")[0],
        release=_release(host, said["releases"], timeouts),
    )


def refuse_without_tls(machine: SourceMachine, access: ClusterAccess) -> None:
    """Raise RefusedError for an etcd that can't be asked: it says which files to fetch, as k3s on that machine has them."""
    names = ("K3S_DATASTORE_CAFILE", "K3S_DATASTORE_CERTFILE", "K3S_DATASTORE_KEYFILE")
    files = [access.variables[name].get_secret_value() for name in names if name in access.variables]
    raise RefusedError(
        f"{machine.name}: its etcd answers by TLS at {machine.client_url}, and no client certificate was given: fetch the files that k3s "
        f"has there ({', '.join(files) or ', '.join(names)}), and give them as --etcd-ca, --etcd-cert and --etcd-key",
        id="draft-etcd-tls",
    )


def _instances(host: Host, timeouts: Timeouts) -> tuple[tuple[Instance, ...], str]:
    try:
        found = tuple(one for one in read_instances(host, timeout_s=timeouts.command_s) if one.all_addresses)
    except FindingsError as error:
        return (), str(error)
    return found, "" if found else f"{host.name}: its keepalived has no vrrp_instance with an address, or it has no keepalived"


def _release(host: Host, listed: str, timeouts: Timeouts) -> Release | None:
    """None where Helm is not installed, does not answer, or has no such release."""
    try:
        releases: list[dict[str, Any]] = json.loads(listed or "[]")
    except ValueError:
        return None
    one = next((release for release in releases if CONSOLE in release["chart"]), None)
    if one is None:
        return None
    asked = Backup(chart=one["chart"], release=one["name"], namespace=one["namespace"])
    _, chart, values = read_release(host, asked, timeout_s=timeouts.helm_s)
    return Release(one["name"], one["namespace"], chart, values)
