"""Files on machines: read, written atomically, kept aside, compared, known by their fingerprints. Pure; every value is quoted."""

from __future__ import annotations

import base64
import difflib
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from shlex import quote

UNREAD = "unread"
MOST_BYTES = 2**20  # of a file whose content is compared or copied
OURS = "Written by evenkeel"  # in the first line of every template of a whole file


def write_file(path: str, content: str | bytes, mode: str = "0644") -> str:
    """Shell: write `content` to `path`, owned by root, atomically: a reader never sees half of it."""
    encoded = base64.b64encode(content.encode() if isinstance(content, str) else content).decode()
    return write_encoded(path, encoded, mode, "0:0")


def write_encoded(path: str, encoded: str, mode: str, owner: str) -> str:
    """Shell: write what base64 has encoded, atomically.

    It reaches the disk by dd: `sync FILE` of coreutils before 8.24 syncs every file system, also one whose server is gone.
    """
    name = shlex.quote(path)
    return (
        f'mkdir -p "$(dirname {name})"\n'
        f"half=$(mktemp {name}.XXXXXX)\n"
        f"base64 -d > \"$half\" <<'END'\n{encoded}\nEND\n"
        f'chmod {mode} "$half" && chown {owner} "$half" && dd if=/dev/null of="$half" conv=notrunc,fsync 2>/dev/null && '
        f'mv -f "$half" {name}\n'
    )


def step_log(name: str) -> str:
    """Where a step's script writes what it has no answer for: only root may write to /run, unlike /tmp."""
    return f"/run/evenkeel-{name}.log"


def begin_log(path: str) -> str:
    """Shell: a new empty log that only root can read, whatever the umask; an installer may print what is a secret."""
    return f"install -m 0600 /dev/null {quote(path)}\n"


def keep_foreign(path: str, suffix: str) -> str:
    """Shell: copy the file at `path` to a neighbour before it is overwritten; one that we wrote is not kept.

    What was there first keeps the plain name. Another one after it, or a copy that was cut off, is followed by one with the time.
    """
    return (
        f"f={quote(path)}; n=$f{quote(f'.aside-{suffix}')}\n"
        f'if test -e "$f" && ! grep -qF {quote(OURS)} "$f" && ! cmp -s "$f" "$n"; then\n'
        '    test ! -e "$n" || n="$n.$(date +%s)"\n'
        '    cp -p "$f" "$n"\n'
        "fi\n"
    )


def read_file(path: str) -> str:
    """The command for a fact: the file's content; a missing file answers with nothing."""
    return f"test ! -e {shlex.quote(path)} || cat {shlex.quote(path)}"


@dataclass(frozen=True)
class Fingerprint:
    """What a path is, and enough of a file to tell it from another one without showing its content."""

    is_file: bool
    mode: str = ""
    owner: str = ""
    content: str = ""
    """Its SHA-256; no such hash where it can't be read (UNREAD) or is larger than MOST_BYTES (its size)."""

    @property
    def is_known(self) -> bool:
        return self.is_file and len(self.content) == 64


def fingerprints(paths: Iterable[str]) -> str:
    """The command for a fact that `parse_fingerprints` understands; what is absent answers with nothing."""
    return (
        f"for f in {' '.join(map(quote, paths))}; do\n"
        '    if test -f "$f"; then\n'
        f'        size=$(stat -Lc %s "$f"); if test "$size" -gt {MOST_BYTES}; then sum="$size-bytes"\n'
        '        else sum=$(timeout 20 sha256sum <"$f" | cut -c1-64); fi\n'
        f'        echo "$(stat -Lc "%a %u:%g" "$f") ${{sum:-{UNREAD}}} $f"\n'
        '    elif test -e "$f"; then echo "- - - $f"; fi\n'
        "done"
    )


def parse_fingerprints(said: str) -> dict[str, Fingerprint]:
    """By path: what `fingerprints` answered."""
    words = (line.split(" ", 3) for line in said.splitlines())
    return {path: Fingerprint(mode != "-", mode, owner, content) for mode, owner, content, path in words}


def move_aside(folder: str, suffix: str) -> str:
    """Shell: empty `folder` and keep its data in a neighbour; a mount point can't be moved, its content moves to a folder inside."""
    return (
        f"d={quote(folder)}; n=$d{quote(f'.aside-{suffix}')}\n"
        f'! mountpoint -q "$d" || n=$d/{quote(f".aside-{suffix}")}\n'
        'test ! -e "$n" || n="$n.$(date +%s)"\n'
        """inside() { find "$d" -mindepth 1 -maxdepth 1 ! -name '.aside-*' "$@"; }\n"""
        'if test -z "$(inside -print -quit 2>/dev/null)"; then :\n'
        'elif mountpoint -q "$d"; then mkdir "$n" && inside -exec mv -t "$n" {} +\n'
        'else mv "$d" "$n"; fi\n'
    )


def diff_of_ours(path: str, before: str, after: str) -> str:
    """A diff of a file that is ours as a whole. Foreign content is not shown, it may hold a secret; it is kept aside."""
    if OURS in before or not before:
        return diff(path, before, after)
    lines = len(before.splitlines())
    return f"{path}: {lines} lines that are not ours are kept aside and not shown\n{diff(path, '', after)}"


def diff(path: str, before: str, after: str) -> str:
    """A unified diff, empty when nothing differs."""
    lines = difflib.unified_diff(
        before.splitlines(), after.splitlines(), f"{path} (before)", f"{path} (after)", lineterm=""
    )
    return "\n".join(lines)
