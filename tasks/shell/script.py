"""Facts: named questions to a machine, all in one script, and their answers. Pure; every value is quoted."""

from __future__ import annotations

import base64
import shlex

STRICT = "set -eu\n"


def fact(name: str, command: str) -> str:
    """Shell: print one line, `name` and in base64 what `command` prints; without errors, however many lines that is."""
    return f'printf "%s %s\\n" {shlex.quote(name)} "$({{ {command}\n}} 2>/dev/null | base64 -w0)"\n'


def facts(script: dict[str, str]) -> str:
    """Shell: answer all of these facts, by name; a command that fails may answer with nothing and stops no other."""
    return "".join(fact(name, command) for name, command in script.items())


def parse_facts(output: str) -> dict[str, str]:
    """What `facts` printed, by name; line ends at the end of an answer are cut off."""
    found = (line.partition(" ") for line in output.splitlines() if line)
    return {name: base64.b64decode(value).decode(errors="replace").rstrip("\n") for name, _, value in found}
