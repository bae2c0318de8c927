"""Secrets by reference: from Prefect Secret blocks or the environment, into SecretStr, and no further."""

from __future__ import annotations

import os

from prefect.blocks.system import Secret
from pydantic import SecretStr

from configs.base import SecretRef
from configs.errors import ConfigError


def resolve_secret(ref: SecretRef) -> SecretStr:
    """The secret that `ref` names, one line. Raises ConfigError that says how to provide it."""
    value = _held(ref)
    if value.splitlines() != [value]:
        raise ConfigError(
            f"secret: {ref} does not hold one line: write it without a line break, also at its end (printf, not echo)",
            id="secret-not-one-line",
        )
    return SecretStr(value)


def _held(ref: SecretRef) -> str:
    if ref.env is not None:
        value = os.environ.get(ref.env)
        if not value:
            raise ConfigError(f"secret: {ref} is not set: export {ref.env}=... where the flow runs", id="secret-not-set")
        return value
    try:
        block = Secret.load(ref.block)  # type: ignore[arg-type]  # one of the two is set
    except ValueError as error:
        raise ConfigError(
            f"secret: {ref} does not exist: create a block of type Secret with this name in the Prefect UI",
            id="secret-block-missing",
        ) from error
    return str(block.get())  # type: ignore[union-attr]  # load is synchronous here
