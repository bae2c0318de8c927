"""What the benchmark of the migration makes of its rounds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.bench.migration import SWITCHES, in_turn, keep, refuse_switches
from tests.bench.moves import ALL, AROUND, HAND, MIGRATE, OF_RUNS, Move, Turns, middle, move_of, ratio, tables
from tests.unit.bench.test_critical_path import JOIN, run


def by_hand(seconds: float) -> Move:
    return Move(seconds, {"preflight": 1.0, "join": seconds - 1})


def migrated(elapsed_s: float = 90.0) -> Move:
    return move_of(run(JOIN, 85), elapsed_s)


def test_a_row_of_the_table_has_the_canary_and_what_joins_after_it() -> None:
    move = migrated()

    assert move.phases == {"backup": 1, "canary": 18, "join": 61, "drain": 1}
    assert move.rows == {"backup": 1, "canary and join": 79, "drain": 1, AROUND: 9, ALL: 90}


def test_a_ratio_is_of_moves_of_the_same_round_in_which_neither_failed() -> None:
    turns: Turns = {HAND: [by_hand(45), None, by_hand(90)], MIGRATE: [migrated(90), migrated(10), migrated(270)]}

    assert ratio(turns, ALL) == 2.5
    assert (middle(turns, HAND, ALL), middle(turns, MIGRATE, ALL)) == (67.5, 90)


def test_the_tables_say_what_was_not_measured() -> None:
    phases, runs, path = tables({HAND: [None], MIGRATE: [migrated()]}).split("\n\n")

    for table in (phases, runs, path):
        assert len({line.count("|") for line in table.splitlines()}) == 1
    assert f"| {ALL} | - | 90.0 | - |" in phases.splitlines()
    assert runs.count("|") == 3 * (len(OF_RUNS) + 1)
    assert runs.splitlines()[2] == "| 1 | 90.0 | 85.0 | 81.0 | 1.0 | 1.0 | 2.0 | set up keepalived on p1, cordon on v1: 1.0 |"
    assert "| join k3s | 2 | 27.0 | 0.0 |" in path.splitlines()
    assert tables({HAND: [], MIGRATE: []}).count("\n\n") == 0


def test_what_was_measured_is_kept_after_every_move(tmp_path: Path) -> None:
    keep({HAND: [by_hand(45)], MIGRATE: []}, tmp_path, "make bench")
    keep({HAND: [by_hand(45)], MIGRATE: [migrated()]}, tmp_path, "make bench")

    kept = json.loads((tmp_path / "migration.json").read_text())
    assert kept["migrate_to_by_hand"] == 2
    assert kept["turns"][MIGRATE][0]["more"]["path"] == 81
    assert kept["turns"][HAND][0]["phases"] == {"preflight": 1.0, "join": 44}
    assert "`make bench`" in (tmp_path / "migration.md").read_text()
    assert {path.name for path in tmp_path.iterdir()} == {"migration.json", "migration.md"}


def test_each_way_is_first_as_often_as_the_other() -> None:
    assert [in_turn(number)[0] for number in range(4)] == [HAND, MIGRATE, HAND, MIGRATE]


def test_a_lab_that_the_script_is_not_written_for_is_refused() -> None:
    refuse_switches({"LAB_WEIGHT": "field", "LAB_ETCD": "3.5", SWITCHES[0]: ""})

    with pytest.raises(SystemExit, match="LAB_LAKE: the move by hand is written for a lab without: unset LAB_LAKE"):
        refuse_switches({"LAB_LAKE": "gluster"})
