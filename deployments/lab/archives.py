"""Image archives as `docker load` reads them, written without a daemon or a registry.

Written the same to the byte each time (times, owners and order are fixed), so a rebuilt image keeps its digest.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Image:
    """A tagged image: layers bottom first, each a finished tar, and the command it starts."""

    tag: str
    layers: tuple[bytes, ...]
    command: tuple[str, ...]


@dataclass
class Layer:
    """A tar being filled; `finish` gives its bytes."""

    entries: dict[str, tuple[tarfile.TarInfo, bytes]] = field(default_factory=dict)

    def file(self, path: str, data: bytes, mode: int = 0o644) -> None:
        info = tarfile.TarInfo(path)
        info.size, info.mode = len(data), mode
        self.entries[path] = (info, data)

    def link(self, path: str, target: str) -> None:
        info = tarfile.TarInfo(path)
        info.type, info.linkname, info.mode = tarfile.SYMTYPE, target, 0o777
        self.entries[path] = (info, b"")

    def folder(self, path: str, mode: int = 0o755) -> None:
        info = tarfile.TarInfo(path)
        info.type, info.mode = tarfile.DIRTYPE, mode
        self.entries[path] = (info, b"")

    def tree(self, root: Path) -> None:
        """All of a folder's files and links."""
        for path in sorted(root.rglob("*")):
            name = str(path.relative_to(root))
            if path.is_symlink():
                self.link(name, str(path.readlink()))
            elif path.is_dir():
                self.folder(name)
            else:
                self.file(name, path.read_bytes(), path.stat().st_mode & 0o777)

    def finish(self) -> bytes:
        return _tar([self.entries[path] for path in sorted(self.entries)])


def write(archive: Path, images: Sequence[Image]) -> None:
    """One archive with all the images; layers they share are in it once."""
    parts: dict[str, bytes] = {}
    manifest = [_add(parts, image) for image in images]
    parts["manifest.json"] = _json(manifest)
    entries = []
    for name in sorted(parts):
        info = tarfile.TarInfo(name)
        info.size, info.mode = len(parts[name]), 0o644
        entries.append((info, parts[name]))
    archive.parent.mkdir(parents=True, exist_ok=True)
    fresh = archive.with_suffix(".new")
    fresh.write_bytes(_tar(entries))
    fresh.replace(archive)


def _add(parts: dict[str, bytes], image: Image) -> dict[str, object]:
    digests = [hashlib.sha256(layer).hexdigest() for layer in image.layers]
    config = _json({
        "architecture": "amd64",
        "os": "linux",
        "created": "2023-11-08T18:32:00Z",
        "config": {"Env": [PATH], "Entrypoint": list(image.command), "WorkingDir": "/"},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}" for digest in digests]},
        "history": [{"created": "2023-11-08T18:32:00Z", "created_by": "evenkeel lab"} for _ in digests],
    })
    name = f"{hashlib.sha256(config).hexdigest()}.json"
    parts[name] = config
    parts |= {f"{digest}/layer.tar": layer for digest, layer in zip(digests, image.layers, strict=True)}
    return {"Config": name, "RepoTags": [image.tag], "Layers": [f"{digest}/layer.tar" for digest in digests]}


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True).encode()


def _tar(entries: list[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for info, data in entries:
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()
