"""The systemd unit of an etcd member, and the URLs that it is known by."""

from __future__ import annotations

import re
from collections.abc import Collection
from shlex import quote

from blocks.ports import Member
from configs.hosts import Machine, Target
from configs.platform import Platform
from configs.rendering import rendered
from tasks.etcd.flags import ARCH, Flags, as_words
from tasks.shell.files import keep_foreign, move_aside, write_file
from tasks.shell.units import drop_in_folders

# A packaged etcd's drop-ins would apply to our unit, too: its old flags, its user, its timeouts.
DROP_INS = drop_in_folders("etcd")


def peer_url(platform: Platform, machine: Machine) -> str:
    """Where etcd's members meet; it identifies a member."""
    return f"{platform.etcd.scheme}://{machine.address}:{platform.etcd.peer_port}"


def client_url(platform: Platform, machine: Machine) -> str:
    """Where etcd serves clients."""
    return f"{platform.etcd.scheme}://{machine.address}:{platform.etcd.client_port}"


def etcd_unit(platform: Platform, target: Target, members: Collection[Member], flags: Flags) -> str:
    """The unit of a joining member, with these `flags` besides its own. `members` are all current ones, the new one included.

    etcd refuses to start when --initial-cluster is not exactly the current membership (etcd#8298).
    """
    own = peer_url(platform, target)
    names = {url: target.name if url == own else member.name for member in members for url in member.peer_urls}
    return rendered(
        "etcd.service.j2",
        name=target.name,
        binary=platform.etcd.binary,
        data_dir=platform.etcd.data_dir,
        scheme=platform.etcd.scheme,
        tls=platform.etcd.tls,
        peer_url=own,
        client_url=client_url(platform, target),
        peer_port=platform.etcd.peer_port,
        client_port=platform.etcd.client_port,
        cluster_token=platform.etcd.cluster_token,
        initial_cluster=",".join(f"{name}={url}" for url, name in names.items()),
        flags=tuple(map(_quoted, as_words(flags))),
        environment=tuple(_quoted(f"{ARCH}={flags[ARCH]}") for _ in range(ARCH in flags)),
    )


def installing(platform: Platform, unit: str) -> str:
    """Shell: let etcd begin with this unit and without data. What is there, another unit's drop-ins too, is kept aside."""
    return (
        "systemctl stop etcd >/dev/null 2>&1 || true\n"
        + move_aside(platform.etcd.data_dir, "before-join")
        + f"install -d -m 0700 {quote(platform.etcd.data_dir)}\n"
        + keep_foreign(platform.etcd.unit_file, "before-join")
        + write_file(platform.etcd.unit_file, unit)
        + "".join(move_aside(folder, "before-join") for folder in DROP_INS)
    )


def _quoted(word: str) -> str:
    """As systemd reads it: specifiers, variables and quotes in it are plain text."""
    plain = word.replace("%", "%%").replace("$", "$$")
    if re.fullmatch(r"[\w@%$+=:,./-]+", plain):
        return plain
    escaped = plain.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
