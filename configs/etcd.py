"""How etcd runs on targets, and where its members answer."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, field_validator

from configs.base import HostPath, ShellSafe, StrictModel

SET_BY_EVENKEEL = re.compile(
    r"--(name|data-dir|wal-dir|config-file|force-new-cluster|listen-(peer|client)-urls|(advertise|initial|discovery)-.*"
    r"|(peer-)?(cert-file|key-file|trusted-ca-file|auto-tls))="
)


def _is_flag(value: str) -> str:
    if not re.fullmatch(r"--[a-z][a-z0-9-]*=\S*", value):
        raise ValueError(f"{value!r} is no --NAME=VALUE: write one flag of etcd per item")
    if SET_BY_EVENKEEL.match(value):
        raise ValueError(f"{value!r}: leave it out: evenkeel sets it on each machine")
    return value


Flag = Annotated[str, AfterValidator(_is_flag)]


class EtcdTls(StrictModel):
    """TLS of the external etcd, for its clients and between its members. The files are on the orchestrator's machine."""

    ca: Path = Field(description="what the running members' and all clients' certificates come from; may hold several")
    cert: Path = Field(description="client certificate, of evenkeel and of new k3s servers")
    key: Path
    members: Path = Field(description="folder with NAME.crt and NAME.key of each target that becomes a member")
    folder: HostPath = Field("/etc/ssl/etcd", description="where these lie on targets")

    @field_validator("ca", "cert", "key", "members")
    @classmethod
    def _expanded(cls, value: Path) -> Path:
        return value.expanduser()

    def on_host(self, name: str) -> str:
        """Where a target has ca.crt, and client.crt, client.key, member.crt and member.key as far as it needs them."""
        return f"{self.folder}/{name}"


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
    tls: EtcdTls | None = Field(None, description="null: plain HTTP, for clients and between members")

    @property
    def scheme(self) -> str:
        """Of the URLs of members and for clients."""
        return "https" if self.tls else "http"
