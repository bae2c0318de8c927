"""Models of the machines: where they are, and what each will become."""

from __future__ import annotations

import re
from enum import StrEnum
from ipaddress import IPv4Address
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from configs.base import NodeName, ShellSafe, StrictModel
from configs.k3s import ALIKE, Argument, names_of, refuse_foreign
from configs.ssh import Access

_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?"
_KEY = rf"(?:(?P<domain>[a-z0-9](?:[a-z0-9.-]{{0,251}}[a-z0-9])?)/)?{_NAME}"
LABEL_KEY, LABEL_VALUE = re.compile(_KEY), re.compile(f"(?:{_NAME})?")
TAINT = re.compile(rf"{_KEY}=(?:{_NAME})?:(?:NoSchedule|PreferNoSchedule|NoExecute)")
RESERVED_DOMAIN = re.compile(r"(?:.+\.)?(?:kubernetes|k8s)\.io")
OPEN_DOMAIN = re.compile(r"(?:.+\.)?(?:kubelet|node)\.kubernetes\.io|(?:topology|failure-domain\.beta)\.kubernetes\.io")


class Role(StrEnum):
    """What k3s runs on a target."""

    SERVER = "server"
    AGENT = "agent"


def _is_label_key(value: str) -> str:
    if LABEL_KEY.fullmatch(value) is None:
        raise ValueError(f"{value!r} is no label's name: write NAME or DOMAIN/NAME, see kubectl get nodes --show-labels")
    return value


def is_reserved(key: str) -> bool:
    """Whether a kubelet that is to set this label on its own node ends at once; through the API it can be set."""
    domain = key.rpartition("/")[0]
    return bool(RESERVED_DOMAIN.fullmatch(domain)) and not OPEN_DOMAIN.fullmatch(domain)


def _is_label_value(value: str) -> str:
    if not LABEL_VALUE.fullmatch(value):
        raise ValueError(f"{value!r} is no label's value: 63 letters, digits, '-', '_' and '.' at most")
    return value


def _is_taint(value: str) -> str:
    if not TAINT.fullmatch(value):
        raise ValueError(f"{value!r} is no taint: write KEY=VALUE:EFFECT, for example dedicated=database:NoSchedule")
    return value


LabelKey = Annotated[str, AfterValidator(_is_label_key)]
LabelValue = Annotated[str, AfterValidator(_is_label_value)]
Taint = Annotated[str, AfterValidator(_is_taint)]


class Source(StrictModel):
    """A machine that the platform leaves. `name` is its node's name, usually its hostname."""

    name: NodeName
    address: IPv4Address
    ssh: Access | None = Field(None, description="where it is reached in another way than `ssh` says; what is left out is as there")
    lost: bool = Field(
        False, description="died for good and is off: not contacted, its node and its etcd member are removed first"
    )


class Target(StrictModel):
    """A machine that the platform moves to. `name` will be its hostname and its node name."""

    name: NodeName = Field(max_length=63, description="the limit of the label kubernetes.io/hostname")
    address: IPv4Address
    ssh: Access | None = Field(None, description="where it is reached in another way than `ssh` says; what is left out is as there")
    role: Role
    etcd: bool = Field(True, description="whether it will be an etcd member at the end")
    interface: ShellSafe | None = Field(None, description="that carries the VIP, where it is not keepalived.interface")
    args: tuple[Argument, ...] = Field((), description="k3s's flags for this machine only, after those of its role")
    labels: dict[LabelKey, LabelValue] = Field({}, description="its node's labels, set when it joins")
    taints: tuple[Taint, ...] = Field((), description="its node's taints, set when it joins")
    labels_from: NodeName | None = Field(None, description="a source whose labels and taints it gets, too; its own win")

    @model_validator(mode="after")
    def _args_are_one_machines(self) -> Target:
        refuse_foreign("args", self.args)
        alike = [name for name in names_of(self.args) if name in ALIKE]
        if alike:
            raise ValueError(f"args: {', '.join(alike)}: all servers must have it alike: write it in k3s.server_args")
        return self


Machine = Source | Target
