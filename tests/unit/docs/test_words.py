"""The field's words are used everywhere: port, config, successor, ..., so that an operator finds what he greps for.

What is left, per file: python -m tests.unit.docs.test_words
"""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent.parent
BANNED = {
    "wish": "config, expected", "door": "port", "wall": "firewall", "knock": "probe, connect", "mute": "silent, unreachable",
    "deaf": "hears no adverts", "heir": "successor", "alone": "single, only, by itself", "told": "reported, said",
    "owed": "to be restored", "worth a thought": "warning, note",
}  # fmt: skip
INFLECTED = {"wishes": "wish", "wished": "wish", "wishing": "wish", "knocking": "knock", "knocked": "knock", "muted": "mute"}
UNREAD = ("LICENSE", "requirements.lock")
PICTURES = (".svg", ".png")

# file: why these words stay there, and which ones.
ALLOWED: dict[str, tuple[str, frozenset[str]]] = {
    "tests/unit/docs/test_words.py": ("the list itself", frozenset(BANNED)),
}

CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
WORD = re.compile(r"[a-z]+")
SUSPECT = re.compile("|".join((*BANNED, *INFLECTED)).replace(" ", ".*"), re.IGNORECASE)  # most lines have nothing like one


def banned_in(line: str) -> set[str]:
    """The banned words of a line, also those inside snake_case and CamelCase."""
    if SUSPECT.search(line) is None:
        return set()
    words = WORD.findall(CAMEL.sub(" ", line).lower())
    bases = [INFLECTED.get(word, word) for word in words]
    singular = [word.removesuffix("s") if word.removesuffix("s") in BANNED else word for word in bases]
    text = f" {' '.join(singular)} "
    return {word for word in BANNED if f" {word} " in text}


def texts() -> Iterator[tuple[str, str]]:
    """The tracked text files that exist: name, content."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode()
    for name in filter(None, listed.split("\0")):
        path = ROOT / name
        if name in UNREAD or path.suffix in PICTURES or path.is_symlink() or not path.is_file():
            continue
        try:
            yield name, path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


def hits() -> Iterator[str]:
    """file:line and word; line 0 is the file's own name."""
    for name, text in texts():
        allowed = ALLOWED.get(name, ("", frozenset[str]()))[1]
        for number, line in enumerate((name, *text.splitlines())):
            for word in sorted(banned_in(line) - allowed):
                yield f"{name}:{number}: {word!r}; say: {BANNED[word]}"


def test_everything_is_said_in_the_fields_words() -> None:
    assert list(hits()) == []


def test_no_exception_outlives_its_reason() -> None:
    read = dict(texts())
    unused = [
        f"{name}: {word}"
        for name, (_, words) in ALLOWED.items()
        for word in words
        if not any(word in banned_in(line) for line in read.get(name, "").splitlines())
    ]

    assert unused == []


@pytest.mark.parametrize("line", ["two DOORS", "the_heir_of", "class WishList", "HTTPWall", "was told.", "it is worth a thought"])
def test_a_banned_word_is_found_in_prose_and_in_identifiers(line: str) -> None:
    assert banned_in(line)


@pytest.mark.parametrize("line", ["firewall_open", "FirewallProbe", "their", "standalone", "commuted", "followed", "outdoor"])
def test_a_word_that_contains_a_banned_one_is_fine(line: str) -> None:
    assert banned_in(line) == set()


if __name__ == "__main__":
    for count_of, count in Counter(hit.partition(":")[0] for hit in hits()).most_common():
        print(f"{count:4} {count_of}")  # noqa: T201
