"""Reads YAML of platforms and campaigns. Every mistake in it is reported with its path, before any host is contacted."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError

from configs.base import StrictModel
from configs.campaign import Campaign
from configs.errors import ConfigError
from configs.platform import Platform

Model = TypeVar("Model", bound=StrictModel)


class _UniqueKeyLoader(yaml.SafeLoader):
    """A safe loader that refuses duplicate keys; by YAML's own rule the last one silently wins."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=deep)
            if not isinstance(key, str):
                raise ConfigError(
                    f"line {key_node.start_mark.line + 1}: {key!r} is not a name: write a plain word before ':'"
                )
            if key in seen:
                raise ConfigError(f"line {key_node.start_mark.line + 1}: {key!r} is written twice: keep one")
            seen.add(key)
        return super().construct_mapping(node, deep=deep)


def load_platform(path: Path) -> Platform:
    """The platform that `path` describes.

    Raises ConfigError with one line per mistake: its path in the YAML, and what to write.
    """
    return _load(path, Platform, "copy configs/prod.example.yaml there and fill it in", "begin with 'platform: NAME'")


def load_campaign(path: Path) -> tuple[Campaign, dict[Path, Platform]]:
    """The campaign that `path` describes, and its platforms by their configs.

    Raises ConfigError for mistakes in any of these files, and for a name or a machine that two platforms have.
    """
    campaign = _load(path, Campaign, "write campaign, canary and others there: see docs/campaigns.md", "begin with 'campaign: NAME'")
    platforms, errors = {}, []
    for config in campaign.configs:
        try:
            platforms[config] = load_platform(config)
        except ConfigError as error:
            errors.append(error.message)
    if errors:
        raise ConfigError("\n".join(errors))
    _refuse_shared(path, platforms)
    return campaign, platforms


def _refuse_shared(path: Path, platforms: dict[Path, Platform]) -> None:
    """Two platforms of one name would have one lock, record and reports; a machine belongs to one of them."""
    owners: dict[str, Path] = {}
    for config, platform in platforms.items():
        for what in (f"platform {platform.name}", *(f"the machine {machine.address}" for machine in platform.machines)):
            other = owners.setdefault(what, config)
            if other != config:
                raise ConfigError(f"{path}: {what} is in {other} and in {config}: keep it in one of them")


def _load(path: Path, model: type[Model], missing: str, begin: str) -> Model:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}: {missing}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8: {error.reason} at byte {error.start}") from error
    try:
        content = yaml.load(text, Loader=_UniqueKeyLoader)  # noqa: S506 - a SafeLoader
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not YAML: {error}") from error
    except ConfigError as error:
        raise ConfigError(f"{path}: {error.message}") from None
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: not a mapping: {begin}")
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise ConfigError("\n".join(f"{path}: {line}" for line in mistakes(error))) from None


def mistakes(error: ValidationError) -> list[str]:
    """One line per mistake: its path in the YAML, and what to write. No line has the value of a secret."""
    return [
        ": ".join(filter(None, [_yaml_path(item["loc"]), item["msg"].removeprefix("Value error, ")]))
        for item in error.errors(include_url=False, include_input=False)
    ]


def _yaml_path(location: tuple[int | str, ...]) -> str:
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return "".join(parts).lstrip(".")
