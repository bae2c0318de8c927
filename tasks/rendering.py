"""Files from templates. Pure: models in, text out. A name that the template uses and nobody gave is an error."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from pydantic import SecretStr

import configs
from blocks.ports import Member
from configs.database import Database
from configs.hosts import Machine, Target
from configs.platform import Platform
from tasks.scripts import OURS

BEGIN, END = "# BEGIN evenkeel", "# END evenkeel"

_templates = Environment(
    loader=FileSystemLoader(Path(configs.__path__[0]) / "templates"),
    undefined=StrictUndefined,
    keep_trailing_newline=True,
    autoescape=False,  # noqa: S701 - units and INI, no HTML
)


def rendered(template: str, **values: object) -> str:
    """A template that has a file of its own to fill it, as pictures have."""
    return _templates.get_template(template).render(**values)


def peer_url(platform: Platform, machine: Machine) -> str:
    """Where etcd's members meet; it identifies a member."""
    return f"http://{machine.address}:{platform.etcd.peer_port}"


def client_url(platform: Platform, machine: Machine) -> str:
    """Where etcd serves clients."""
    return f"http://{machine.address}:{platform.etcd.client_port}"


def etcd_unit(platform: Platform, target: Target, members: Collection[Member]) -> str:
    """The unit of a joining member. `members` are all current ones, the new one included.

    etcd refuses to start when --initial-cluster is not exactly the current membership (etcd#8298).
    """
    own = peer_url(platform, target)
    names = {url: target.name if url == own else member.name for member in members for url in member.peer_urls}
    return _templates.get_template("etcd.service.j2").render(
        name=target.name,
        binary=platform.etcd.binary,
        data_dir=platform.etcd.data_dir,
        peer_url=own,
        client_url=client_url(platform, target),
        peer_port=platform.etcd.peer_port,
        client_port=platform.etcd.client_port,
        cluster_token=platform.etcd.cluster_token,
        initial_cluster=",".join(f"{name}={url}" for url, name in names.items()),
    )


def keepalived_conf(platform: Platform, target: Target, auth_pass: SecretStr) -> str:
    """The VRRP instance of one holder. It contains the password: for the daemon's own file only."""
    rank = platform.vip_holders.index(target)
    wish = platform.keepalived
    return _templates.get_template("keepalived.conf.j2").render(
        interface=wish.interface,
        virtual_router_id=wish.virtual_router_id,
        priority=wish.first_priority - 10 * rank,
        advert_interval_s=wish.advert_interval_s,
        auth_pass=auth_pass.get_secret_value(),
        vip=platform.vip,
        prefix_length=wish.prefix_length,
    )


def k3s_profile() -> str:
    """The shell profile that leads kubectl to the kubeconfig."""
    return _templates.get_template("k3s-profile.sh.j2").render()


def init_sql(database: Database, root: SecretStr, password: SecretStr) -> str:
    """The statements that a restore makes necessary. They contain passwords: for standard input only."""
    return _templates.get_template("init-tidb.sql.j2").render(
        user=database.user,
        password=password.get_secret_value(),
        root_password=root.get_secret_value(),
        database=database.database,
        time_zone=database.time_zone,
    )


def _sql(value: str) -> str:
    """A string literal of MySQL's."""
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


_templates.filters["sql"] = _sql


def hosts_file(current: str, machines: Iterable[Machine]) -> str:
    """`current` with our block first: the first line that names a host wins, so a stale one below does no harm."""
    block = _templates.get_template("hosts.j2").render(machines=list(machines))
    return block + _outside_block(current)


def hosts_conflicts(current: str, machines: Iterable[Machine]) -> list[str]:
    """Lines outside our block that give one of our names another address."""
    names = {machine.name: str(machine.address) for machine in machines}
    return [
        line.strip()
        for line in _outside_block(current).splitlines()
        for address, *aliases in [line.partition("#")[0].split() or [""]]
        if any(names.get(alias, address) != address for alias in aliases)
    ]


def _outside_block(text: str) -> str:
    before, begin, rest = text.partition(BEGIN)
    if not begin:
        return text
    _, end, after = rest.partition(END)
    # Without its end, only the line that begins the block is surely ours.
    kept = after if end else rest.partition("\n")[2]
    return before + kept.lstrip("\n")


def diff_of_ours(path: str, before: str, after: str) -> str:
    """A diff of a file that is ours as a whole; what somebody else wrote there is kept aside, and may hold a secret."""
    if OURS in before or not before:
        return diff(path, before, after)
    lines = len(before.splitlines())
    return f"{path}: {lines} lines that are not ours are kept aside and not shown\n{diff(path, '', after)}"


def diff(path: str, before: str, after: str) -> str:
    """A unified diff, empty when nothing differs."""
    lines = difflib.unified_diff(
        before.splitlines(), after.splitlines(), f"{path} (now)", f"{path} (then)", lineterm=""
    )
    return "\n".join(lines)
