"""The config as a JSON schema, for editors that check and complete YAML: python -m configs.schema writes it.

An editor finds it by a first line: # yaml-language-server: $schema=platform.schema.json
"""

from __future__ import annotations

import json
from pathlib import Path

from configs.platform import Platform

PATH = Path(__file__).with_name("platform.schema.json")


def schema() -> str:
    """What pydantic makes of the models: each key with its type, its default and its description."""
    return json.dumps(Platform.model_json_schema(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    PATH.write_text(schema(), encoding="utf-8")
