"""A campaign's page."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tasks.campaign.report import FAILED, MOVED, Move, as_markdown

BEGUN = datetime(2026, 3, 1, 2, tzinfo=UTC)


def test_the_verdict_comes_first_then_each_platform_then_where_its_report_is() -> None:
    moves = [
        Move("a", "configs/a.yaml", MOVED, "a, dry run: False", "verified", BEGUN, BEGUN + timedelta(minutes=4), "/reports/a/report.html"),
        Move("b", "configs/b.yaml", FAILED, "b, dry run: False", "phys-2: one | two\nsystemctl start docker", BEGUN, None),
        Move("c", "configs/c.yaml"),
    ]

    lines = as_markdown("north", moves, dry_run=False).splitlines()

    assert lines[0] == "# campaign north: 1 moved, 1 failed, 1 not begun of 3"
    assert lines[4:7] == [
        "| a | configs/a.yaml | moved | 4 min | a, dry run: False | verified |",
        "| b | configs/b.yaml | failed | - | b, dry run: False | phys-2: one \\| two systemctl start docker |",
        "| c | configs/c.yaml | not begun | - | - |  |",
    ]
    assert lines[-1] == "- a: /reports/a/report.html"


def test_dry_runs_are_called_so() -> None:
    assert as_markdown("north", [Move("a", "a.yaml", MOVED)], dry_run=True).startswith("# campaign north (dry runs): 1 moved of 1\n")
