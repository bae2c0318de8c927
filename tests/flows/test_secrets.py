"""Secrets in Prefect's own blocks, which only Prefect itself can hold."""

from __future__ import annotations

import pytest
from prefect.blocks.system import Secret

from blocks.secrets import resolve_secret
from configs.base import SecretRef
from configs.errors import ConfigError


def test_a_secret_is_read_from_its_block() -> None:
    Secret(value="s3cret").save("demo-password")

    assert resolve_secret(SecretRef(block="demo-password")).get_secret_value() == "s3cret"


def test_a_block_that_does_not_exist_is_refused_with_what_to_create() -> None:
    with pytest.raises(
        ConfigError, match=r"^secret: Secret block 'demo-none' does not exist: create a block of type Secret .*\[secret-block-missing\]$"
    ):
        resolve_secret(SecretRef(block="demo-none"))
