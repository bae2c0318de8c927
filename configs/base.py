"""The strict base of every model that an operator writes, and the shapes of the values in it."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
WORKLOAD = re.compile(r"[A-Z][A-Za-z0-9]*(\.[a-z0-9.-]+)? [a-z0-9-]+/[a-z0-9.-]+")
SHELL_SAFE = re.compile(r"[A-Za-z0-9_@%+=:,./~\[\]-]+")


class StrictModel(BaseModel):
    """A model that refuses keys it does not know and does not change once read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _is_label(value: str) -> str:
    if LABEL.fullmatch(value) is None:
        raise ValueError(
            f"{value!r} is not an RFC 1123 label: write lower-case letters, digits and '-', "
            "begin and end with a letter or a digit, 63 characters at most"
        )
    return value


def _is_shell_safe(value: str) -> str:
    if SHELL_SAFE.fullmatch(value) is None:
        bad = sorted(set(re.sub(SHELL_SAFE, "", value)))
        what = (
            f"holds {' '.join(map(repr, bad))}, which a shell would read: write it without"
            if bad
            else "is empty: write a value"
        )
        raise ValueError(f"{value!r} {what}")
    return value


def _is_absolute(value: str) -> str:
    if not value.startswith("/"):
        raise ValueError(f"{value!r} is not an absolute path: begin it with '/'")
    if value.strip("/") == "" or ".." in value.split("/"):
        raise ValueError(f"{value!r} is the root, or leads upwards: write the folder itself")
    return _is_shell_safe(value)


def _is_node_name(value: str) -> str:
    if len(value) > 253 or not all(LABEL.fullmatch(part) for part in value.split(".")):
        raise ValueError(
            f"{value!r} is not an RFC 1123 subdomain, as nodes are named: write labels of lower-case letters, digits and '-', "
            "separated by dots; each begins and ends with a letter or a digit and has 63 characters at most, all of them 253"
        )
    return value


def _is_workload_name(value: str) -> str:
    if WORKLOAD.fullmatch(value) is None:
        raise ValueError(f"{value!r} names no workload: write KIND NAMESPACE/NAME as reports do, for example Deployment shop/web")
    return value


Label = Annotated[str, AfterValidator(_is_label)]
NodeName = Annotated[str, AfterValidator(_is_node_name)]
ShellSafe = Annotated[str, AfterValidator(_is_shell_safe)]
WorkloadName = Annotated[str, AfterValidator(_is_workload_name)]
HostPath = Annotated[str, AfterValidator(_is_absolute)]


class Accepted(StrictModel):
    """A finding that the operator has looked at and accepts, by its id and place as the report shows them."""

    id: ShellSafe = Field(description="as docs/findings.md lists it")
    where: str = Field(min_length=1, description="the place that the finding names, before its first colon")
    reason: str = Field(min_length=1, description="why it may be so; the report repeats it")


class SecretRef(StrictModel):
    """Where a secret is found: a Prefect Secret block, or an environment variable. Never the secret itself."""

    block: Label | None = None
    env: ShellSafe | None = None

    @model_validator(mode="after")
    def _names_one_place(self) -> SecretRef:
        if (self.block is None) == (self.env is None):
            raise ValueError("write exactly one of 'block: NAME' (a Prefect Secret block) and 'env: NAME'")
        return self

    def __str__(self) -> str:
        return f"Secret block {self.block!r}" if self.block else f"environment variable {self.env}"
