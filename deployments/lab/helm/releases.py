"""Releases, through Helm's library. Nothing here knows how the answer is worded."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import helm_python

LibraryError = helm_python.HelmError
Release = dict[str, Any]


def cluster(asked: argparse.Namespace) -> helm_python.Config:
    """The cluster of --kubeconfig or KUBECONFIG, in the namespace that was asked for."""
    return helm_python.Config(kubeconfig_path=asked.kubeconfig, namespace=asked.namespace)


def exists(config: helm_python.Config, name: str) -> bool:
    """Whether there is a release of that name, in whatever state."""
    try:
        return bool(config.history(name))
    except helm_python.HelmNotFoundError:
        return False


def install(config: helm_python.Config, asked: argparse.Namespace) -> Release:
    """The release's first revision."""
    return config.install(
        asked.chart, asked.release, values(asked.values, asked.set_string), namespace=asked.namespace,
        create_namespace=asked.create_namespace, timeout=asked.timeout, wait=_wait(asked),
    )  # fmt: skip


def upgrade(config: helm_python.Config, asked: argparse.Namespace) -> Release:
    """The release's next revision. Values that are not given again are the chart's own, as with Helm."""
    return config.upgrade(
        asked.chart, asked.release, values(asked.values, asked.set_string), namespace=asked.namespace,
        timeout=asked.timeout, wait=_wait(asked),
    )  # fmt: skip


def values(files: list[str], expressions: list[str]) -> dict[str, Any]:
    r"""What `--values` and `--set-string` ask for, these parsed by Helm (so `\,` is a comma); the later counts, as with Helm.

    A file is JSON, which is YAML, too: a machine has nothing to read other YAML with. `-` is standard input.
    """
    merged: dict[str, Any] = {}
    for file in files:
        merged = _over(merged, json.loads(sys.stdin.read() if file == "-" else Path(file).read_text()) or {})
    for expression in expressions:
        merged = _over(merged, helm_python.parse_set_string_values(expression))
    return merged


def sdk_version() -> str:
    """The version of Helm that the library is made of."""
    return helm_python.helm_sdk_version()


def _over(lower: Mapping[str, Any], upper: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(lower)
    for key, value in upper.items():
        below = merged.get(key)
        merged[key] = _over(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged


def _wait(asked: argparse.Namespace) -> str | None:
    return "watcher" if asked.wait else None
