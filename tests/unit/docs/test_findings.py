"""Every refusal, finding and error has a stable id, and both pages describe every id."""

from __future__ import annotations

import ast
import functools
import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from configs.errors import EvenkeelError

ROOT = Path(__file__).parent.parent.parent.parent
ROOMS = ("flows", "tasks", "blocks", "configs")
PAGES = ("findings.md", "findings.zh-CN.md")
ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)+")
JUDGEMENTS = ("refuse", "warn", "note", "warning")  # their first argument is the id


@functools.cache
def calls() -> list[tuple[Path, ast.Call, str]]:
    return list(_calls())


def _calls() -> Iterator[tuple[Path, ast.Call, str]]:
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call):
                    yield path, node, getattr(node.func, "attr", getattr(node.func, "id", ""))


@functools.cache
def every_error() -> dict[str, type[EvenkeelError]]:
    """All classes by name: every room is imported first, or those of rooms that no test needs would be missing."""
    for room in ROOMS:
        for module in pkgutil.walk_packages([str(ROOT / room)], f"{room}."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    found, todo = dict[str, type[EvenkeelError]](), [EvenkeelError]
    while todo:
        kind = todo.pop()
        found[kind.__name__] = kind
        todo.extend(kind.__subclasses__())
    return found


def keyword_id(call: ast.Call) -> object:
    value = next((keyword.value for keyword in call.keywords if keyword.arg == "id"), None)
    return value.value if isinstance(value, ast.Constant) else None


def is_judgement(call: ast.Call, name: str) -> bool:
    return (name in JUDGEMENTS and len(call.args) > 1 and not isinstance(call.func, ast.Attribute | ast.Name)) or (
        name in JUDGEMENTS and len(call.args) > 1 and getattr(getattr(call.func, "value", None), "id", "") != "log"
    )


@functools.cache
def ids_in_code() -> set[str]:
    found = {kind.id for kind in every_error().values() if kind.id}
    for _, call, name in calls():
        if is_judgement(call, name) and isinstance(call.args[0], ast.Constant):
            found.add(str(call.args[0].value))
        elif name in every_error() or name == "wait_until":
            found |= {str(given) for given in [keyword_id(call)] if given}
    return found


def ids_on(page: str) -> list[str]:
    return re.findall(r"^### `([^`]+)`$", (ROOT / "docs" / page).read_text(encoding="utf-8"), re.MULTILINE)


def test_every_error_that_is_raised_has_an_id() -> None:
    errors = every_error()
    without = [
        f"{path.relative_to(ROOT)}:{call.lineno}"
        for path, call, name in calls()
        if name in errors and name != "FindingsError" and not errors[name].id and not keyword_id(call)
    ]

    assert without == []


def test_every_judgement_has_a_literal_id() -> None:
    without = [
        f"{path.relative_to(ROOT)}:{call.lineno}"
        for path, call, name in calls()
        if is_judgement(call, name) and not isinstance(call.args[0], ast.Constant)
    ]

    assert without == []


def test_ids_are_words_with_hyphens() -> None:
    assert [one for one in ids_in_code() if not ID.fullmatch(one)] == []


@pytest.mark.parametrize("page", PAGES)
def test_a_page_describes_every_id_and_no_other_once(page: str) -> None:
    assert sorted(ids_on(page)) == sorted(ids_in_code())


def test_both_pages_have_the_same_order() -> None:
    english, chinese = map(ids_on, PAGES)

    assert english == chinese


@pytest.mark.parametrize("page", ["README.md", "README.zh-CN.md", "CHANGELOG.md", "CONTRIBUTING.md", "docs/glossary.md"])
def test_an_id_that_another_page_quotes_exists(page: str) -> None:
    quoted = re.findall(rf"`\[({ID.pattern})\]`", (ROOT / page).read_text(encoding="utf-8"))

    assert [found[0] for found in quoted if found[0] not in ids_in_code()] == []
