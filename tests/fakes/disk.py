"""The files of a fake machine: in memory, and on disk once a script runs there or a test looks at the machine itself."""

from __future__ import annotations

from pathlib import Path

FOLDERS = ("etc/systemd/system", "var/lib", "usr/local/bin", "proc", "run", "tmp", ".state/units")
USUAL = 0o644


class Disk:
    """Below `root`, which is there once it was asked for by `folder`, or by `made` for a script."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._is_made = False
        self._is_known = True
        self._folders = list(FOLDERS)
        self._files: dict[str, tuple[bytes, int]] = {}
        self._links: dict[str, Path] = {}

    @property
    def folder(self) -> Path:
        """The root, with everything in it that was written so far; who has it may change what is there."""
        self.changed()
        return self.made()

    def made(self) -> Path:
        """The root, with everything in it that was written so far."""
        if not self._is_made:
            self._is_made = True
            for folder in self._folders:
                (self.root / folder).mkdir(parents=True)
            for name, target in self._links.items():
                (self.root / name).symlink_to(target)
            for name, (content, mode) in self._files.items():
                self._put(name, content, mode)
        return self.root

    def changed(self) -> None:
        """From now on only the root itself says what is in it."""
        self._is_known = False

    def known(self) -> object | None:
        """Everything in it, equal for equal machines wherever their roots are; None once something else may have changed it."""
        if not self._is_known:
            return None
        here = bytes(self.root)
        files = ((name, content.replace(here, b""), mode) for name, (content, mode) in self._files.items())
        links = ((name, target.read_bytes() if target.exists() else None) for name, target in self._links.items())
        return frozenset(files), frozenset(links), frozenset(self._folders)

    def write(self, name: str, content: bytes, mode: int = USUAL) -> None:
        """As a shell's `>`: the usual mode leaves a file that is there with its own."""
        if name in self._links:
            self._links[name].write_bytes(content)
            return
        if self._is_made:
            self._put(name, content, mode)
        if self._is_known:
            self._files[name] = (content, self._files[name][1] if mode == USUAL and name in self._files else mode)

    def read(self, name: str) -> bytes | None:
        """The file's content, None when there is no such file."""
        if self._is_known and name not in self._links:
            return self._files[name][0] if name in self._files else None
        try:
            return self._links.get(name, self.root / name).read_bytes()
        except FileNotFoundError:
            return None

    def mkdir(self, name: str) -> None:
        """An empty folder, from the beginning on."""
        assert not self._is_made
        self._folders.append(name)

    def link(self, name: str, target: Path) -> None:
        """Make `name` lead to `target`, from the beginning on."""
        assert not self._is_made
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
