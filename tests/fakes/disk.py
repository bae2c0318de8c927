"""The files of a fake machine: a value in memory, and a folder once a script runs there or a test looks at the machine itself."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDERS = ("etc/systemd/system", "var/lib", "usr/local/bin", "proc", "run", "tmp", ".state/units")
USUAL, USUAL_FOLDER = 0o644, 0o755
ROOT = b"\0root\0"  # in a content: the path of the machine's root

Files = dict[str, tuple[bytes, int]]


@dataclass(frozen=True)
class State:
    """Everything on a disk but files' times, equal for equal machines wherever their roots are."""

    folders: frozenset[tuple[str, int]]
    files: frozenset[tuple[str, tuple[bytes, int]]]
    shared: frozenset[tuple[str, bytes | None]]
    """What links lead to."""


class Disk:
    """Below `root`, which is there once it was asked for by `folder`, or by `made` for a script."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._is_made = self._is_stale = self._is_shown = False
        self._folders = dict.fromkeys(FOLDERS, USUAL_FOLDER)
        self._files: Files = {}
        self._links: dict[str, Path] = {}

    @property
    def folder(self) -> Path:
        """The root, with everything in it that was written so far; who has it may change what is there, at any time."""
        self._is_stale = self._is_shown = True
        return self.made()

    def made(self) -> Path:
        """The root, with everything in it that was written so far."""
        if not self._is_made:
            self._is_made = True
            for name, target in self._links.items():
                (self.root / name).parent.mkdir(parents=True, exist_ok=True)
                (self.root / name).symlink_to(target)
            self._put(self._all_folders(), self._files)
        return self.root

    def changed(self) -> None:
        """A script may have changed what is in the root: it is read again."""
        self._is_stale = True

    def state(self) -> State | None:
        """What is on it now; None where there are symbolic links of somebody's own."""
        if self._is_stale and not self._learn():
            return None
        here = bytes(self.root)
        files = {name: (_one(content.replace(here, ROOT)), mode) for name, (content, mode) in self._files.items()}
        shared = {name: target.read_bytes() if target.exists() else None for name, target in self._links.items()}
        return State(frozenset(self._all_folders().items()), frozenset(files.items()), frozenset(shared.items()))

    def become(self, state: State) -> None:
        """Let `state` be what is on it, whose state was asked for just before; a file that stays as it is keeps its time."""
        here, were, folders = bytes(self.root), self._files, self._all_folders().keys()
        self._folders = dict(state.folders)
        self._files = {name: (content.replace(ROOT, here), mode) for name, (content, mode) in state.files}
        for name, content in state.shared:
            self._links[name].unlink(missing_ok=True) if content is None else self._links[name].write_bytes(content)
        if self._is_made:
            for name in were.keys() - self._files.keys():
                (self.root / name).unlink()
            for name in sorted(folders - self._folders.keys(), reverse=True):
                (self.root / name).rmdir()
            self._put(self._folders, {name: file for name, file in self._files.items() if were.get(name) != file})

    def write(self, name: str, content: bytes, mode: int = USUAL) -> None:
        """As a shell's `>`: the usual mode leaves a file that is there with its own."""
        if name in self._links:
            self._links[name].write_bytes(content)
            return
        if self._is_made:
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            if mode != USUAL:
                path.chmod(mode)
        if not self._is_stale:
            self._files[name] = (content, self._files[name][1] if mode == USUAL and name in self._files else mode)

    def read(self, name: str) -> bytes | None:
        """The file's content, None when there is no such file."""
        if not self._is_stale and name not in self._links:
            return self._files[name][0] if name in self._files else None
        try:
            return self._links.get(name, self.root / name).read_bytes()
        except FileNotFoundError:
            return None

    def mkdir(self, name: str) -> None:
        """An empty folder, from the beginning on."""
        assert not self._is_made
        self._folders[name] = USUAL_FOLDER

    def link(self, name: str, target: Path) -> None:
        """Make `name` lead to `target`, from the beginning on."""
        assert not self._is_made
        self._links[name] = target

    def _all_folders(self) -> dict[str, int]:
        above = {folder: USUAL_FOLDER for name in (*self._folders, *self._files, *self._links) for folder in _above(name)}
        return {**above, **self._folders}

    def _learn(self) -> bool:
        """Read what is in the root; False when it has links that are not ours."""
        folders: dict[str, int] = {}
        files = Files()
        for name, entry in _below(self.root):
            mode = entry.stat(follow_symlinks=False).st_mode & 0o7777
            if entry.is_symlink():
                if name not in self._links:
                    return False
            elif entry.is_dir():
                folders[name] = mode
            else:
                files[name] = Path(entry).read_bytes(), mode
        self._folders, self._files, self._is_stale = folders, files, self._is_shown
        return True

    def _put(self, folders: dict[str, int], files: Files) -> None:
        for name in sorted(folders):
            (self.root / name).mkdir(parents=True, exist_ok=True)
            (self.root / name).chmod(folders[name])
        for name, (content, mode) in files.items():
            (self.root / name).write_bytes(content)
            (self.root / name).chmod(mode)


@cache
def _one(content: bytes) -> bytes:
    """The same object for the same content: states are kept, and differ in few files."""
    return content


def _below(root: Path) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Everything in `root`, by its name there."""
    folders = [str(root)]
    while folders:
        for entry in [*os.scandir(folders.pop())]:
            yield entry.path.removeprefix(f"{root}/"), entry
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.path)


def _above(name: str) -> Iterator[str]:
    """The folders that a name lies in."""
    while name := name.rpartition("/")[0]:
        yield name
