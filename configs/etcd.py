"""How etcd runs on targets, and where its members answer."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from configs.base import HostPath, ShellSafe, StrictModel

SET_BY_EVENKEEL = re.compile(
    r"--(name|data-dir|wal-dir|config-file|force-new-cluster|listen-(peer|client)-urls|(advertise|initial|discovery)-.*)="
)


def _is_flag(value: str) -> str:
    if not re.fullmatch(r"--[a-z][a-z0-9-]*=\S*", value):
        raise ValueError(f"{value!r} is no --NAME=VALUE: write one flag of etcd per item")
    if SET_BY_EVENKEEL.match(value):
        raise ValueError(f"{value!r}: leave it out: evenkeel sets it on each machine")
    return value


Flag = Annotated[str, AfterValidator(_is_flag)]


class Etcd(StrictModel):
    """The external etcd. The unit's name is `etcd.service` on every machine, as the runbook has it."""

    binary: HostPath = "/usr/local/bin/etcd"
    data_dir: HostPath = "/mnt/disks/etcd"
    unit_file: HostPath = Field("/etc/systemd/system/etcd.service", description="wins over a packaged unit")
    client_port: int = Field(2379, ge=1, le=65535)
    peer_port: int = Field(2380, ge=1, le=65535)
    cluster_token: ShellSafe = Field(description="--initial-cluster-token of the running members")
    args: tuple[Flag, ...] = Field(
        (), description="flags for new members in the place of those of the running ones; --NAME= leaves one out"
    )
