"""The files of a fake machine: a value in memory, and a folder once a script runs there or a test looks at the machine itself."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDERS = ("etc/systemd/system", "var/lib", "usr/local/bin", "proc", "run", "tmp", ".state/units")
USUAL, USUAL_FOLDER = 0o644, 0o755
ROOT = b"\0root\0"  # in a content: the path of the machine's root

AGO_NS = 10**9  # how old what is put there looks: a file that a script writes differs from it, however quick it was
TICK_NS = 50_000_000  # longer than a kernel's clock for files stands still: what is older can't be written anew and look the same

Files = dict[str, tuple[bytes, int]]
Signs = dict[str, tuple[int, ...]]


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
        self._all: dict[str, int] | None = None
        """The folders, with those that the names of others say; None until they are asked for."""
        self._signs: Signs | None = None
        """As `signs`, None until they are asked for."""
        self._read: Signs = {}
        """How those files looked whose contents are known; see `_content`."""

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

    def signs(self) -> Signs:
        """How everything in the root looks but what is in /tmp, where logs are: equal while nothing there is written anew."""
        self.made()
        if self._is_stale or self._signs is None:
            self._learn()
        assert self._signs is not None
        return self._signs

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
        self._folders, self._all = dict(state.folders), None
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
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            self._put_file(name, content, None if mode == USUAL else mode)
        if self._is_stale:
            self._read.pop(name, None)
        else:
            self._all = self._all if name in self._files else None
            self._files[name] = (content, self._files[name][1] if mode == USUAL and name in self._files else mode)

    def read(self, name: str) -> bytes | None:
        """The file's content, None when there is no such file."""
        if not self._is_stale and name not in self._links:
            return self._files[name][0] if name in self._files else None
        try:
            return self._links.get(name, self.root / name).read_bytes()
        except FileNotFoundError:
            return None

    def folders_in(self, name: str) -> list[str]:
        """The names of the folders in this one; what is linked there is not followed."""
        if not self._is_stale:
            return [folder.rpartition("/")[2] for folder in self._all_folders() if folder.rpartition("/")[0] == name]
        return [entry.name for entry in os.scandir(self.root / name) if entry.is_dir(follow_symlinks=False)]

    def mkdir(self, name: str) -> None:
        """An empty folder, from the beginning on."""
        assert not self._is_made
        self._folders[name], self._all = USUAL_FOLDER, None

    def link(self, name: str, target: Path) -> None:
        """Make `name` lead to `target`, from the beginning on."""
        assert not self._is_made
        self._links[name], self._all = target, None

    def _all_folders(self) -> dict[str, int]:
        if self._all is None:
            above = {folder: USUAL_FOLDER for name in (*self._folders, *self._files, *self._links) for folder in _above(name)}
            self._all = {**above, **self._folders}
        return self._all

    def _learn(self) -> bool:
        """Look at what is in the root; False when it has links that are not ours, whose contents are not read."""
        folders: dict[str, int] = {}
        files, signs, read, ours = Files(), Signs(), Signs(), True
        before = time.time_ns() - TICK_NS
        for name, entry in _below(str(self.root)):
            facts = entry.stat(follow_symlinks=False)
            if stat.S_ISDIR(facts.st_mode):
                folders[name], sign = stat.S_IMODE(facts.st_mode), ()
            else:
                sign = _sign(facts)
                if stat.S_ISLNK(facts.st_mode):
                    ours = ours and name in self._links
                else:
                    files[name] = self._content(name, sign), stat.S_IMODE(facts.st_mode)
                    if facts.st_mtime_ns < before:
                        read[name] = sign
            if name != "tmp" and not name.startswith("tmp/"):
                signs[name] = sign
        self._signs = signs
        if ours:
            self._folders, self._files, self._all, self._read = folders, files, None, read
            self._is_stale = self._is_shown
        return ours

    def _content(self, name: str, sign: tuple[int, ...]) -> bytes:
        """As it was read before, or put there, unless the file looks different."""
        if self._read.get(name) == sign:
            return self._files[name][0]
        with open(f"{self.root}/{name}", "rb") as file:  # noqa: PTH123 - a path of its own for each file is slow
            return file.read()

    def _put(self, folders: dict[str, int], files: Files) -> None:
        for name in sorted(folders):
            path = f"{self.root}/{name}"
            if not os.path.isdir(path):  # noqa: PTH112
                os.makedirs(path)  # noqa: PTH103
            os.chmod(path, folders[name])  # noqa: PTH101
        for name, (content, mode) in files.items():
            self._put_file(name, content, mode)
        self._signs = None

    def _put_file(self, name: str, content: bytes, mode: int | None) -> None:
        then = time.time_ns() - AGO_NS
        with open(f"{self.root}/{name}", "wb") as file:  # noqa: PTH123
            file.write(content)
            file.flush()
            if mode is not None:
                os.fchmod(file.fileno(), mode)
            os.utime(file.fileno(), ns=(then, then))
            self._read[name] = _sign(os.fstat(file.fileno()))
        self._signs = None


@cache
def _one(content: bytes) -> bytes:
    """The same object for the same content: states are kept, and differ in few files."""
    return content


def _sign(facts: os.stat_result) -> tuple[int, ...]:
    return facts.st_mode, facts.st_size, facts.st_mtime_ns, facts.st_ino


def _below(root: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Everything in `root`, by its name there."""
    folders, above = [root], len(root) + 1
    while folders:
        for entry in [*os.scandir(folders.pop())]:
            yield entry.path[above:], entry
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.path)


@cache
def _above(name: str) -> tuple[str, ...]:
    """The folders that a name lies in."""
    parts = name.split("/")[:-1]
    return tuple("/".join(parts[:count]) for count in range(1, len(parts) + 1))
