"""The files of a fake machine: in memory until somebody looks at the machine itself, for most tests look at one of five."""

from __future__ import annotations

from pathlib import Path

FOLDERS = ("etc/systemd/system", "var/lib", "usr/local/bin", "proc", "run", "tmp", ".state/units")
USUAL = 0o644


class Disk:
    """Below `root`, which is there once it was asked for by `folder`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._begun = False
        self._folders = list(FOLDERS)
        self._files: dict[str, tuple[bytes, int]] = {}
        self._links: dict[str, Path] = {}

    @property
    def folder(self) -> Path:
        """The root, with everything in it that was written so far."""
        if not self._begun:
            self._begun = True
            for folder in self._folders:
                (self.root / folder).mkdir(parents=True)
            for name, target in self._links.items():
                (self.root / name).symlink_to(target)
            for name, (content, mode) in self._files.items():
                self._put(name, content, mode)
        return self.root

    def write(self, name: str, content: bytes, mode: int = USUAL) -> None:
        """As a shell's `>`: the usual mode leaves a file that is there with its own."""
        if self._begun:
            self._put(name, content, mode)
        else:
            self._files[name] = (content, self._files[name][1] if mode == USUAL and name in self._files else mode)

    def read(self, name: str) -> bytes | None:
        """The file's content, None when there is no such file."""
        if not self._begun:
            return self._files[name][0] if name in self._files else None
        try:
            return (self.root / name).read_bytes()
        except FileNotFoundError:
            return None

    def mkdir(self, name: str) -> None:
        """An empty folder, from the beginning on."""
        assert not self._begun
        self._folders.append(name)

    def link(self, name: str, target: Path) -> None:
        """Make `name` lead to `target`, from the beginning on."""
        assert not self._begun
        self._links[name] = target

    def _put(self, name: str, content: bytes, mode: int) -> None:
        path = self.root / name
        try:
            path.write_bytes(content)
        except FileNotFoundError:
            path.parent.mkdir(parents=True)
            path.write_bytes(content)
        if mode != USUAL:
            path.chmod(mode)
