"""Pieces of shell that steps send to machines, and the way back. Pure; every value is quoted."""

from __future__ import annotations

import base64
import shlex

STRICT = "set -eu\n"
OURS = "Written by evenkeel"  # in the first line of every template of a whole file


def write_file(path: str, content: str, mode: str = "0644") -> str:
    """Make the file at `path` be `content`, at once or not at all; a reader never sees half of it."""
    encoded = base64.b64encode(content.encode()).decode()
    name = shlex.quote(path)
    return (
        f'mkdir -p "$(dirname {name})"\n'
        f"half=$(mktemp {name}.XXXXXX)\n"
        f"base64 -d > \"$half\" <<'END'\n{encoded}\nEND\n"
        f'chmod {mode} "$half" && chown 0:0 "$half" && sync "$half" && mv -f "$half" {name}\n'
    )


def keep_foreign(path: str, suffix: str) -> str:
    """Shell: before the file at `path` is written over, a copy of it beside it, unless it is one of ours."""
    name = shlex.quote(path)
    return f"test ! -e {name} || grep -qF {shlex.quote(OURS)} {name} || cp -p {name} {shlex.quote(f'{path}.aside-{suffix}')}\n"


def tell(name: str, command: str) -> str:
    """A fact: one output line of `name` and what `command` prints, however many lines that is."""
    return f'printf "%s %s\\n" {shlex.quote(name)} "$({{ {command}\n}} 2>/dev/null | base64 -w0)"\n'


def facts(script: dict[str, str]) -> str:
    """A script that answers all of these facts in one round trip; a command that fails answers with nothing."""
    return "".join(tell(name, command) for name, command in script.items())


def parse_facts(output: str) -> dict[str, str]:
    """What `facts` answered, by name, without the line ends at their ends."""
    found = (line.partition(" ") for line in output.splitlines() if line)
    return {name: base64.b64decode(value).decode(errors="replace").rstrip("\n") for name, _, value in found}


def read_file(path: str) -> str:
    """The command for a fact: the file's content; a missing one answers with nothing."""
    return f"test ! -e {shlex.quote(path)} || cat {shlex.quote(path)}"
