"""`migrate` killed at every moment of every act, each time begun again: it ends where an uninterrupted one ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.conftest import Uninterrupted
from tests.faults.kills import run_to_the_end
from tests.faults.story import Story
from tests.lab import world

LEAST = 40  # acts that a migration of nine machines has at the very least


@pytest.mark.timeout(4 * 3600)
@pytest.mark.parametrize("moments", [("before act", "in act"), ("after act",), ("after verify",)], ids=" and ".join)
def test_killed_everywhere_it_converges_and_loses_nothing(
    uninterrupted: Uninterrupted, secrets: dict[str, str], moments: tuple[str, ...], tmp_path: Path
) -> None:
    world.lab("up", "--fresh", timeout_s=3000)
    ledger = tmp_path / "ledger"
    ledger.write_text(uninterrupted.ledger.read_text())
    with Story(f"killed {' and '.join(moments)}", secrets) as story:
        run_to_the_end(
            "migrate", ledger, moments, secrets,
            after_each=lambda kill: story.saw(str(kill), "killed", points=len(kill.points)),
        )
        story.ends_as(uninterrupted.state)
    assert story.points > LEAST
