"""`migrate` killed at every moment of every act, each time begun again: it ends where an uninterrupted one ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults import state
from tests.faults.conftest import Uninterrupted
from tests.faults.kills import Kill, run_to_the_end
from tests.faults.writers import Writers
from tests.lab import world


@pytest.mark.timeout(4 * 3600)
@pytest.mark.parametrize("moments", [("before act", "in act"), ("after act",), ("after verify",)], ids=" and ".join)
def test_killed_everywhere_it_converges_and_loses_nothing(
    uninterrupted: Uninterrupted, secrets: dict[str, str], moments: tuple[str, ...], tmp_path: Path
) -> None:
    world.lab("up", "--fresh", timeout_s=3000)
    ledger = tmp_path / "ledger"
    ledger.write_text(uninterrupted.ledger.read_text())
    with Writers(secrets["LAB_MYSQL_WACOS_PASSWORD"]) as writers:
        kills = run_to_the_end("migrate", ledger, moments, secrets, after_each=seen)
    lost_keys, lost_rows = writers.lost()
    print(f"{len(kills)} kills, {len(writers.etcd)} keys and {len(writers.sql)} rows acknowledged")  # noqa: T201
    assert len(kills) > 40
    assert (lost_keys, lost_rows) == (set(), set())
    assert state.differences(state.the_lab("phys-1"), uninterrupted.state) == []


def seen(kill: Kill) -> None:
    """What holds after every kill; with -s, the table of all."""
    quorum = state.quorum_is_up()
    print(f"| {kill.moment} | {kill.target} | {kill.doing} | {'quorum' if quorum else 'NO QUORUM'} |", flush=True)  # noqa: T201
    assert quorum
