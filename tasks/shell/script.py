"""Facts: named questions to a machine, all in one script, and their answers. Pure; every value is quoted."""

from __future__ import annotations

import hashlib
import re
import shlex

STRICT = "set -eu\n"
ANSWER = re.compile(r"^--fact-([0-9a-f]{8}) (\S+)\n(.*?)\n--fact-\1$", re.MULTILINE | re.DOTALL)


def fact(name: str, command: str) -> str:
    """Shell: print what `command` prints, without its errors, in a frame that names the fact and that no other text has.

    The command reads nothing: the script itself comes by standard input.
    """
    mark = f"--fact-{hashlib.sha256(f'{name} {command}'.encode()).hexdigest()[:8]}"
    return f"printf '\\n%s %s\\n' {mark} {shlex.quote(name)}; ( {command}\n) 2>/dev/null </dev/null || :; printf '\\n%s\\n' {mark}\n"


def facts(script: dict[str, str]) -> str:
    """Shell: answer all of these facts, by name; a command that fails may answer with nothing and stops no other."""
    return "".join(fact(name, command) for name, command in script.items())


def parse_facts(output: str) -> dict[str, str]:
    """What `facts` printed, by name; line ends at the end of an answer are cut off, and what stands outside is ignored."""
    return {name: answer.rstrip("\n") for _, name, answer in ANSWER.findall(output)}
