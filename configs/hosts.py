"""Models of the machines: how to reach them, and what each will become."""

from __future__ import annotations

from enum import StrEnum
from ipaddress import IPv4Address
from pathlib import Path

from pydantic import Field, field_validator

from configs.base import Label, ShellSafe, StrictModel


class Role(StrEnum):
    """What k3s runs on a target."""

    SERVER = "server"
    AGENT = "agent"


class Ssh(StrictModel):
    """How every machine is reached. Host keys are always checked."""

    user: ShellSafe = Field("root", description="a user that is root; steps change system files")
    port: int = Field(2222, ge=1, le=65535, description="the runbook's port")
    key: Path = Field(description="private key on the orchestrator's machine")
    known_hosts: Path = Field(Path("~/.ssh/known_hosts"), description="host keys; unknown and changed ones are refused")

    @field_validator("key", "known_hosts")
    @classmethod
    def _expanded(cls, value: Path) -> Path:
        return value.expanduser()


class Source(StrictModel):
    """A machine that the platform leaves. `name` is its hostname and its node name."""

    name: Label
    address: IPv4Address


class Target(StrictModel):
    """A machine that the platform moves to. `name` will be its hostname and its node name."""

    name: Label
    address: IPv4Address
    role: Role
    etcd: bool = Field(True, description="whether it will be an etcd member at the end")


Machine = Source | Target
