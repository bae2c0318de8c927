"""How each platform of a campaign has moved, as one page of Markdown. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from tasks.report.history import lasting

MOVED, FAILED, NOT_BEGUN = "moved", "failed", "not begun"
HEAD = "| platform | config | outcome | took | run | |\n|---|---|---|---:|---|---|\n"


@dataclass(frozen=True)
class Move:
    """One platform's part in a campaign."""

    platform: str
    config: str
    outcome: str = NOT_BEGUN
    run: str = ""
    """The name of its flow run."""
    said: str = ""
    """The last words of that run, its last line first to be read."""
    begun: datetime | None = None
    ended: datetime | None = None
    page: str = ""
    """Where its own report is, on the machine of its worker."""

    @property
    def took(self) -> str:
        return lasting((self.ended - self.begun).total_seconds()) if self.begun and self.ended else "-"


def as_markdown(name: str, moves: Sequence[Move], *, dry_run: bool) -> str:
    """The verdict first, then a row per platform, then where their reports are."""
    counted = Counter(move.outcome for move in moves)
    verdict = ", ".join(f"{counted[outcome]} {outcome}" for outcome in (MOVED, FAILED, NOT_BEGUN) if counted[outcome])
    rows = "".join(f"| {m.platform} | {m.config} | {m.outcome} | {m.took} | {m.run or '-'} | {_line(m.said)} |\n" for m in moves)
    pages = "".join(f"- {m.platform}: {m.page}\n" for m in moves if m.page)
    kind = " (dry runs)" if dry_run else ""
    return f"# campaign {name}{kind}: {verdict} of {len(moves)}\n\n{HEAD}{rows}" + (f"\n## Reports\n\n{pages}" if pages else "")


def _line(text: str) -> str:
    """In one cell of a table."""
    return " ".join(text.replace("|", "\\|").split())
