"""The shipped JSON schema is the models', and takes what they take."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

import configs
from configs.schema import PATH, schema
from tests.fakes.platform import config

SCHEMA = json.loads(schema())
VALID = jsonschema.validators.validator_for(SCHEMA)(SCHEMA)


def test_it_is_a_schema() -> None:
    VALID.check_schema(SCHEMA)


def test_the_shipped_schema_is_that_of_the_models() -> None:
    assert PATH.read_text(encoding="utf-8") == schema(), "python -m configs.schema"


@pytest.mark.parametrize("example", sorted(Path(configs.__path__[0]).glob("*.yaml")), ids=lambda path: path.name)
def test_a_shipped_config_is_valid_by_it(example: Path) -> None:
    VALID.validate(yaml.safe_load(example.read_text(encoding="utf-8")))


def test_an_unknown_key_is_not() -> None:
    with pytest.raises(jsonschema.ValidationError):
        VALID.validate(config(replicas=3))
