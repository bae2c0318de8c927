"""A report's reader finds every step and every check by its name in the pages that describe them."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path

import pytest
from prefect import Task

import tasks

DOCS = Path(__file__).parent.parent.parent.parent / "docs"


def names() -> set[str]:
    modules = [importlib.import_module(module.name) for module in pkgutil.walk_packages(tasks.__path__, "tasks.")]
    return {found.name for module in modules for found in vars(module).values() if isinstance(found, Task)}


@pytest.mark.parametrize("suffix", ["md", "zh-CN.md"])
def test_every_step_and_check_is_described_by_its_name(suffix: str) -> None:
    pages = "".join((DOCS / f"{page}.{suffix}").read_text(encoding="utf-8") for page in ("steps", "rollback"))

    assert [name for name in sorted(names()) if f"| {name} |" not in pages] == []
