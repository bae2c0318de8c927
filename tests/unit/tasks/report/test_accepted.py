"""Whether what the configuration accepts was found."""

from __future__ import annotations

from tasks.engine.finding import Finding, Level
from tasks.report.accepted import check_accepted
from tests.fakes.platform import platform
from tests.fakes.world import World

FULL = {"id": "disk-full", "where": "vm-1", "reason": "the disk is grown on Monday"}
FOUND = [Finding("disk-full", Level.REFUSE, "vm-1", "no space", accepted="the disk is grown on Monday")]


def notes(world: World, *accepted: dict[str, str]) -> list[str]:
    world.platform = platform(accepted=list(accepted))
    return [str(finding) for finding in check_accepted.fn(world.run(), world.platform, FOUND).findings]


def test_an_accepted_finding_that_was_found_is_not_noted(world: World) -> None:
    assert notes(world, FULL) == []


def test_an_accepted_finding_that_was_found_nowhere_or_elsewhere_is_a_note(world: World) -> None:
    assert notes(world, FULL, {**FULL, "where": "vm-2"}, {**FULL, "id": "clock-off"}) == [
        f"accepted[{number}]: accepts [{id}] at {where}, which no check of this run has found: "
        "remove it from accepted, or correct its id or where [accepted-unused]"
        for number, id, where in ((1, "disk-full", "vm-2"), (2, "clock-off", "vm-1"))
    ]
