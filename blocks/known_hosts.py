"""Known host keys, read as ssh reads them: see sshd(8), SSH_KNOWN_HOSTS FILE FORMAT. Pure but for reading the file."""

from __future__ import annotations

import base64
import binascii
import hmac
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path

SSH_PORT = 22  # any other one stands beside the name: [NAME]:PORT


class Verdict(StrEnum):
    """What a file of known hosts says of a key that a host presents."""

    KNOWN = "known"
    UNKNOWN = "unknown"
    CHANGED = "changed"
    REVOKED = "revoked"
    AUTHORITY = "authority"
    """The host is known by the authority of its certificate only."""


@dataclass(frozen=True)
class Line:
    """A line: which hosts it is of, and a key."""

    marker: str
    hosts: str
    kind: str
    key: bytes

    def names(self, name: str) -> bool:
        """Whether it is of this host: a pattern with '!' excludes it, whichever others there are."""
        patterns = self.hosts.split(",")
        if any(pattern.startswith("!") and _matches(pattern[1:], name) for pattern in patterns):
            return False
        return any(_matches(pattern, name) for pattern in patterns)


@dataclass(frozen=True)
class KnownHosts:
    """A whole file. `unreadable` are the numbers of the lines that are skipped."""

    path: Path
    lines: tuple[Line, ...]
    unreadable: tuple[int, ...] = ()
    _found: dict[str, list[Line]] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def read(cls, path: Path) -> KnownHosts:
        """Raises OSError."""
        lines, unreadable = list[Line](), list[int]()
        for number, text in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
            if not text.strip() or text.lstrip().startswith("#"):
                continue
            line = _read(text.split())
            if line is None:
                unreadable.append(number)
            else:
                lines.append(line)
        return cls(path, tuple(lines), tuple(unreadable))

    def kinds(self, host: str, port: int) -> list[str]:
        """The kinds of the keys that are known for a host: what it is to be asked for."""
        return [line.kind for name in _names(host, port) for line in self._of(name) if not line.marker]

    def has(self, host: str, port: int) -> bool:
        """Whether a key stands there for just this port: other than for `kinds`, a line without a port is of 22 only."""
        return any(not line.marker for line in self._of(_names(host, port)[0]))

    def verdict(self, host: str, port: int, key: bytes) -> Verdict:
        """As ssh judges: a revoked key never, then the lines of [HOST]:PORT, then those of HOST, where a key has no port."""
        names = _names(host, port)
        if any(line.marker == "@revoked" and line.key == key for name in names for line in self._of(name)):
            return Verdict.REVOKED
        if any(not line.marker and line.key == key for name in names for line in self._of(name)):
            return Verdict.KNOWN
        if any(not line.marker for line in self._of(names[0])):
            return Verdict.CHANGED
        return Verdict.AUTHORITY if any(line.marker == "@cert-authority" for line in self._of(names[0])) else Verdict.UNKNOWN

    def _of(self, name: str) -> list[Line]:
        """Each name is looked up once: for a fleet, to go through all lines at every question costs more than to log in."""
        if name not in self._found:
            plain, others = self._by_name
            self._found[name] = [*plain.get(name, ()), *(line for line in others if line.names(name))]
        return self._found[name]

    @cached_property
    def _by_name(self) -> tuple[dict[str, list[Line]], list[Line]]:
        """The lines with nothing but plain names, by each of these; those with a pattern or a hash, which must be tried."""
        plain, others = dict[str, list[Line]](), list[Line]()
        for line in self.lines:
            if any(sign in line.hosts for sign in "*?!|"):
                others.append(line)
                continue
            for name in dict.fromkeys(line.hosts.lower().split(",")):
                plain.setdefault(name, []).append(line)
        return plain, others


def _names(host: str, port: int) -> list[str]:
    host = host.lower()
    return [host] if port == SSH_PORT else [f"[{host}]:{port}", host]


def _read(words: list[str]) -> Line | None:
    marker = words.pop(0) if words[0].startswith("@") else ""
    if marker not in ("", "@revoked", "@cert-authority") or len(words) < 3:
        return None
    hosts, kind, encoded = words[:3]
    try:
        key = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return None
    # A key begins with the length of its kind, and its kind.
    return Line(marker, hosts, kind, key) if key[4 : 4 + int.from_bytes(key[:4])] == kind.encode() else None


def _matches(pattern: str, name: str) -> bool:
    if not pattern.startswith("|1|"):
        return fnmatchcase(name, pattern.lower().replace("[", "[[]"))
    salt, _, hashed = pattern[3:].partition("|")
    try:
        expected = hmac.digest(base64.b64decode(salt), name.encode(), "sha1")
        return hmac.compare_digest(expected, base64.b64decode(hashed))
    except (binascii.Error, ValueError):
        return False
