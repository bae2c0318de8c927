"""Pieces of shell that steps send to machines, and the way back. Pure; every value is quoted."""

from __future__ import annotations

import base64
import shlex

STRICT = "set -eu\n"


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
