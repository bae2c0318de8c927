"""Whether the findings that the configuration accepts still exist."""

from __future__ import annotations

from collections.abc import Iterable

from configs.platform import Platform
from tasks.engine.check import check
from tasks.engine.finding import Checked, Finding, Findings


@check("check accepted findings", after_acts=True)
def check_accepted(platform: Platform, findings: Iterable[Finding]) -> Checked:
    """Every finding that the config accepts was found by this run: none accepts what may be found later, unread."""
    found = Findings("config")
    actual = {(finding.id, finding.where) for finding in findings}
    for number, one in enumerate(platform.accepted):
        if (one.id, one.where) not in actual:
            found.note(
                "accepted-unused",
                f"accepts [{one.id}] at {one.where}, which no check of this run has found",
                "remove it from accepted, or correct its id or where",
                where=f"accepted[{number}]",
            )
    return found.checked(f"{len(platform.accepted) - len(found.found)} of {len(platform.accepted)} accepted findings are in use")
