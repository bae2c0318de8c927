"""What is shown at a gate, as text."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tasks.engine.finding import Finding, Level
from tasks.report.evidence import Evidence, age, as_markdown

GOLDEN = Path(__file__).parent / "golden" / "gate.md"
KNOWN = Evidence(
    run="20260102-030405",
    plan="c153e4d85dff3195, made 20 min ago by dry run 20260102-024405",
    world={"voters": ["vm-1", "phys-1"], "nodes": ["phys-1", "vm-1"]},
    backup={"name": "tidb-backup-20260102.tar.gz", "size": 4096, "sha256": "ab" * 32},
    backup_age="taken 4 min ago",
    lasting=["remove etcd member on vm-1: it comes back only as a new one"],
    findings=[
        Finding("disk-slow", Level.WARN, "phys-1", "its disk is slow"),
        Finding("disk-full", Level.REFUSE, "phys-1", "no space", accepted="grown on Monday"),
    ],
    clients=[{"series": "http http://shop/", "samples": 90, "failures": 2, "longest_gap_s": 0.7, "budget_s": 5}],
)


def test_all_that_is_known_is_on_one_page() -> None:
    assert as_markdown(KNOWN) == GOLDEN.read_text(encoding="utf-8")


def test_what_is_not_known_is_said_to_be_so() -> None:
    text = as_markdown(replace(KNOWN, world={}, backup={}, lasting=[], findings=[], clients=[]))

    assert "**Can't be undone, from here to the next gate:**\n\n- nothing\n" in text
    assert "| backup | none yet |" in text
    assert text.count("not known: they could not be asked") == 2
    assert "| clients | not sampled yet |" in text
    assert text.count("- none") == 2


def test_an_age_is_in_words() -> None:
    assert age("2026-01-02T03:04:05.000+00:00", "2026-01-02T05:04:05.000+00:00") == "2 h 0 min ago"
