"""Rooms of tasks/ stay small, and import only rooms below them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import layout


def write(root: Path, name: str, text: str = "") -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_no_room_is_too_big_or_imports_a_room_above_it() -> None:
    assert layout.problems() == []


def test_every_top_level_room_is_in_the_table() -> None:
    names = {line.split()[0] for line in layout.table()}

    assert {"flows", "tasks/engine", "blocks", "configs", "deployments", "deployments/lab", "deployments/lab/k3s"} <= names
    assert {f"tasks/{room}" for room in layout.TASKS_TOP_TO_BOTTOM} <= names


def test_a_room_is_counted_with_its_init_and_without_the_folders_below(tmp_path: Path) -> None:
    write(tmp_path, "blocks/__init__.py", '"""Doc."""\n')
    write(tmp_path, "blocks/ssh.py", "a = 1\n" * 10)
    write(tmp_path, "blocks/below/other.py", "a = 1\n" * 100)

    assert [line.split() for line in layout.table(tmp_path)][1:] == [["blocks", "2", "11", "6", "ssh.py", "10"]]


@pytest.mark.parametrize(
    "line",
    [
        "import tasks.report.summary",
        "from tasks.report import summary",
        "from tasks import report",
        "from ..report.summary import write",
        "from .. import report",
        "def late():\n    from tasks.report.summary import write",
    ],
)
def test_an_import_of_a_room_above_is_refused(tmp_path: Path, line: str) -> None:
    write(tmp_path, "tasks/etcd/quorum.py", f"{line}\n")

    (problem,) = layout.problems(tmp_path)

    assert problem.startswith("tasks/etcd/quorum.py:")
    assert problem.endswith("imports tasks.report, which is above tasks.etcd")


def test_imports_of_the_same_room_and_of_rooms_below_are_fine(tmp_path: Path) -> None:
    write(tmp_path, "tasks/etcd/quorum.py", "from tasks.etcd import members\nfrom . import unit\nfrom tasks.engine.step import step\n")

    assert layout.problems(tmp_path) == []


def test_more_than_nine_files_are_refused(tmp_path: Path) -> None:
    for number in range(10):
        write(tmp_path, f"tasks/etcd/part_{number}.py")

    assert layout.problems(tmp_path) == ["tasks/etcd: 10 .py files, at most 9: split the room"]


def test_a_room_without_a_place_in_the_order_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "tasks/helpers/__init__.py")

    (problem,) = layout.problems(tmp_path)

    assert problem.startswith("tasks/helpers: not in the order of rooms")
