"""keepalived.conf's grammar: statements, one a line, some with a block. As keepalived's lib/parser.c reads it, 1.3 to 2.4."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

PIECE = re.compile(r'"[^"]*"|\\.|[{}]|[!#].*|[^"\\{}!#]+|.')  # of a line; quotes have no escapes, a comment begins anywhere else
WORD = re.compile(r'"([^"]*)"|([^\s"]+)')
INDENT = "    "


class GrammarError(Exception):
    """A file that is not read: what stands there, in a sentence that quotes no value."""


@dataclass(frozen=True)
class Statement:
    """One line without its comment, and its block if it has one. The text is kept, as scripts have quotes of their own."""

    text: str
    block: tuple[Statement, ...] | None = None

    @property
    def words(self) -> tuple[str, ...]:
        """The line's words, without the quotes around them."""
        return tuple(quoted or plain for quoted, plain in WORD.findall(self.text))

    @property
    def keyword(self) -> str:
        return self.words[0] if self.words else ""

    @property
    def value(self) -> str:
        return self.words[1] if len(self.words) > 1 else ""

    def each(self, keyword: str) -> Iterator[Statement]:
        """The statements of its block that begin with `keyword`."""
        return (statement for statement in self.block or () if statement.keyword == keyword)

    def last(self, keyword: str) -> Statement | None:
        """What is in force where a keyword stands twice."""
        return next(iter(reversed(list(self.each(keyword)))), None)

    def said(self, keyword: str) -> str:
        """The value of `keyword` in its block, empty when it does not stand there."""
        statement = self.last(keyword)
        return statement.value if statement else ""


def parse(conf: str) -> tuple[Statement, ...]:
    """The statements of a file whose includes are in their places.

    Raises GrammarError for braces that do not match, and for what is evaluated: $NAME=, @conditions, ~SEQ and ~LST.
    """
    pieces = _pieces(conf)
    found = tuple(_block(pieces))
    if next(pieces, None) is not None:
        raise GrammarError("a '}' too many")
    return found


def _block(pieces: Iterator[str], *, inside: bool = False) -> list[Statement]:
    """The statements up to the end of the block, or of the file."""
    found: list[Statement] = []
    for piece in pieces:
        if piece == "}":
            if not inside:
                raise GrammarError("a '}' too many")
            return found
        if piece != "{":
            found.append(Statement(piece))
        elif found and found[-1].block is None:
            found[-1] = replace(found[-1], block=tuple(_block(pieces, inside=True)))
        else:
            raise GrammarError("a '{' that follows no keyword")
    if inside:
        raise GrammarError("a '}' is missing at the end")
    return found


def _pieces(conf: str) -> Iterator[str]:
    """Braces and what stands between them, line by line."""
    for number, line in enumerate(re.split(r"\r*\n", conf), 1):
        text = ""
        for piece in PIECE.findall(line.strip()):
            if piece in ("{", "}"):
                yield from _statement(text, number)
                yield piece
                text = ""
            elif piece[0] not in "!#":
                text += piece
        yield from _statement(text, number)


def _statement(text: str, number: int) -> Iterator[str]:
    text = text.strip()
    if re.match(r"\$\w+\s*=|@|~|include[rmwba]?(\s|$)", text):
        kind = re.split(r"[\s=]", text)[0]
        raise GrammarError(f"line {number} begins with {kind}, which is not evaluated")
    if re.search(r"\$\{?_[A-Z]", text):  # keepalived's own; other $NAMEs are text without a definition
        raise GrammarError(f"line {number} uses a $_VARIABLE, which is not evaluated")
    if text:
        yield text


def shown(statements: tuple[Statement, ...], *, depth: int = 0) -> str:
    """The statements as text, indented."""
    return "".join(
        f"{INDENT * depth}{one.text}\n"
        if one.block is None
        else f"{INDENT * depth}{one.text} {{\n{shown(one.block, depth=depth + 1)}{INDENT * depth}}}\n"
        for one in statements
    )
