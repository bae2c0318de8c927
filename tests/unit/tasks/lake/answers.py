"""What gluster printed on real machines, and how it reaches a parser."""

from __future__ import annotations

from pathlib import Path

from tasks.lake.daemon import question
from tasks.shell.script import ANSWER, facts

RECORDED = Path(__file__).with_name("recorded")


def recorded(name: str) -> str:
    return (RECORDED / name).read_text(encoding="utf-8")


def answered(**facts_by_name: str) -> str:
    """A machine's output to the question, with these answers; the others are empty."""
    text = ""
    for line in question().splitlines():
        if line.startswith("printf '\\n%s %s\\n'"):
            mark, name = line.split()[3:5]
            name = name.rstrip(";")
            text += f"\n{mark} {name}\n{facts_by_name.get(name, '')}\n{mark}\n"
    assert ANSWER.search(text) and facts
    return text
