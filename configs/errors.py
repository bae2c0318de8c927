"""The base of every error of ours, and the one of a configuration.

Messages read ``host: what was being done: what happened: what to type next [id]``; docs/findings.md describes every id.
"""

from __future__ import annotations


class EvenkeelError(Exception):
    """Base of all our errors. `retryable` is the only thing that callers may branch on.

    Its text ends with a stable `id`: the class's own, or that of the place that raises it.
    """

    retryable = False
    id = ""

    def __init__(self, message: str, *, id: str = "") -> None:
        super().__init__(message)
        self.id = id or type(self).id

    @property
    def message(self) -> str:
        """The text without the id, for another message that quotes it."""
        return str(self.args[0])

    def __str__(self) -> str:
        mark = f"[{self.id}]"
        return self.message if not self.id or mark in self.message else f"{self.message} {mark}"

    def within(self, context: str) -> None:
        """Put what the error happened in before its message."""
        self.args = (f"{context}: {self.message}",)

    def join(self, texts: list[str]) -> None:
        """Make the message these lines, each of them a whole message of its own."""
        self.args = ("\n".join(texts),)


class ConfigError(EvenkeelError):
    """The configuration is wrong. Raised before any host is contacted."""

    id = "config-invalid"
