"""The rooms with their sizes; fails if a room of tasks/ has too many files or imports a room above it.

python -m tests.layout
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parent.parent
TASKS_TOP_TO_BOTTOM = (
    "draft", "campaign", "plan", "metrics", "report", "database", "residue", "placement", "workloads", "images",
    "vip", "lake", "network", "machine", "k3s", "certificates", "etcd", "shell", "engine",
)  # fmt: skip
MOST_FILES = 9
ROW = "{:24} {:>5} {:>6} {:>6}  {}"


def rooms(root: Path) -> list[Path]:
    """Folders with Python files, top-level rooms in the order of the layers."""
    patterns = ("flows", "tasks/*", "blocks", "configs", "deployments", "deployments/lab", "deployments/lab/*")
    return [folder for pattern in patterns for folder in sorted(root.glob(pattern)) if any(folder.glob("*.py"))]


def lengths(room: Path) -> dict[str, int]:
    """Lines by file; a folder below is a room of its own."""
    return {path.name: len(path.read_text(encoding="utf-8").splitlines()) for path in sorted(room.glob("*.py"))}


def imported_rooms(path: Path, root: Path) -> Iterator[tuple[int, str]]:
    """Line and name of each room of tasks/ that the file imports, wherever in it the import stands."""
    package = path.relative_to(root).parent.parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*base, *([node.module] if node.module else [])])
            names = [f"{module}.{alias.name}" for alias in node.names]
        for name in names:
            first, *rest = name.split(".")
            if first == "tasks" and rest and rest[0] in TASKS_TOP_TO_BOTTOM:
                yield getattr(node, "lineno", 0), rest[0]


def problems(root: Path = ROOT) -> list[str]:
    """Every room of tasks/ that is too big, has no place in the order, or imports a room above it."""
    return [problem for room in sorted(root.glob("tasks/*")) if any(room.glob("*.py")) for problem in _wrong(room, root)]


def _wrong(room: Path, root: Path) -> Iterator[str]:
    files = sorted(room.glob("*.py"))
    if room.name not in TASKS_TOP_TO_BOTTOM:
        yield f"tasks/{room.name}: not in the order of rooms: add it to TASKS_TOP_TO_BOTTOM in tests/layout.py"
        return
    if len(files) > MOST_FILES:
        yield f"tasks/{room.name}: {len(files)} .py files, at most {MOST_FILES}: split the room"
    above = TASKS_TOP_TO_BOTTOM[: TASKS_TOP_TO_BOTTOM.index(room.name)]
    for path in files:
        for line, imported in sorted(set(imported_rooms(path, root))):
            if imported in above:
                yield f"{path.relative_to(root)}:{line}: imports tasks.{imported}, which is above tasks.{room.name}"


def table(root: Path = ROOT) -> Iterator[str]:
    """A line per room."""
    yield ROW.format("room", "files", "lines", "median", "longest file")
    for room in rooms(root):
        files = lengths(room)
        longest = max(files, key=lambda name: files[name])
        name, middle = str(room.relative_to(root)), round(median(files.values()))
        yield ROW.format(name, len(files), sum(files.values()), middle, f"{longest} {files[longest]}")


def main() -> int:
    print("\n".join(table()))  # noqa: T201
    found = problems()
    print(*found, sep="\n", file=sys.stderr)  # noqa: T201
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
