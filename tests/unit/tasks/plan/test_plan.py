"""A plan as text, held whole: what an operator reads before the night is reviewed as a diff of these files."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from tasks.engine.finding import Finding, Level
from tasks.engine.journal import Entry, Report
from tasks.plan.page import as_html, as_markdown
from tasks.plan.plan import Plan, plan_hash, plan_of
from tasks.report.history import Expected

GOLDEN = Path(__file__).parent / "golden"
BEGUN, ENDED = "2026-01-02T03:04:05.000+00:00", "2026-01-02T03:04:07.500+00:00"
SOURCES, TARGETS = [f"vm-{n}" for n in (1, 2, 3)], [f"phys-{n}" for n in range(1, 7)]
SETTING = {
    "config": "c0ffee",
    "sources": [{"name": name} for name in SOURCES],
    "targets": [{"name": name} for name in TARGETS],
    "gates": ["begin", "retire"],
}
UNINSTALL = "none; the old platform's images stay"
FINDINGS = (
    Finding("etcd-even-members", Level.WARN, "etcd", "6 members tolerate the loss of 2", "set 'etcd: false' on one target"),
    Finding("disk-full", Level.REFUSE, "phys-1", "<1 GB free", "make room", accepted="it is grown | on Monday"),
)
TOOK = Expected("20260101-000000", seconds={"preflight": 12.0, "backup": 75.0, "canary": 40.0, "join": 190.0})


def whole() -> Report:
    """Three sources, six targets: as a dry run finds them, with its entries in the order in which threads began them."""
    numbers = count(1)
    entries: list[Entry] = []

    def has(phase: str, step: str, targets: list[str], why: str, undo: str = "", diff: str = "", outcome: str = "planned") -> None:
        for target in targets:
            diffs = (diff.format(target),) if diff else ()
            said = why.format(target)
            entries.append(
                Entry(step, target, BEGUN, ENDED, outcome, said, phase=phase, number=next(numbers), undo=undo, diffs=diffs)
            )

    has("preflight", "check machine", [*SOURCES, *TARGETS], "fit", outcome="unchanged")
    entries[0].findings = FINDINGS
    has("backup", "backup", ["demo"], "taken by backup-ctl", "none needed")
    has("backup", "expire backups", ["vm-1"], "only listed", "none for what is deleted", outcome="unchanged")
    for phase, targets in (("canary", TARGETS[:1]), ("join", TARGETS[1:])):
        has(phase, "uninstall old k3s", targets, "uninstalled: k3s.service", UNINSTALL)
        has(phase, "write /etc/hosts", targets, "the managed block is written", "delete the block", "+10.0.0.1 {} <here>")
        has(phase, "join etcd", targets, "joins as learner, then voter", "the learner is removed")
    has("join", "label node", TARGETS[4:], "set: app={}", "kubectl label node NAME KEY-")
    has("drain", "drain", SOURCES, "evicted: what is there", "the node is uncordoned")
    has("retire", "remove etcd member", SOURCES, "removed", "none; it comes back only as a new one")
    has("verify", "verify etcd", ["demo"], "checked: the members are the targets")
    return Report(
        "demo", "run-1", "migrate", True, BEGUN, ENDED, "planned", setting=SETTING, before={"voters": SOURCES}, entries=entries[::-1]
    )


def held(name: str, text: str) -> None:
    """Fails when the text is not the golden file's; the file of a changed plan is written anew by hand, from this failure."""
    assert text == (GOLDEN / name).read_text(encoding="utf-8")


def planned(report: Report, took: Expected = TOOK) -> Plan:
    return plan_of(report, took)


def test_a_whole_migration() -> None:
    held("whole.md", as_markdown(planned(whole())))


def test_a_migration_that_preflight_refuses() -> None:
    report = whole()
    report.outcome, report.error = "failed", "phys-1: <1 GB free: make room [disk-full]"
    report.entries = [entry for entry in report.entries if entry.phase == "preflight"]
    for entry in report.entries:
        entry.findings = tuple(replace(finding, accepted="") for finding in entry.findings)

    held("refused.md", as_markdown(planned(report, Expected())))


def test_a_migration_that_is_done() -> None:
    report = whole()
    for entry in report.entries:
        entry.outcome = "unchanged" if entry.undo else entry.outcome
    report.before = {"voters": TARGETS}

    held("done.md", as_markdown(planned(report)))


def test_etcd_lives_through_the_loss_of_all_sources_from_seven_voters_on() -> None:
    steps = planned(whole()).memberships

    assert [len(step.voters) for step in steps] == [3, 4, 5, 6, 7, 8, 9, 8, 7, 6]
    assert [step.survives_without(SOURCES) for step in steps] == [False] * 4 + [True] * 6
    assert (steps[6].quorum, steps[6].tolerance) == (5, 4)


def test_the_point_of_no_return_is_the_first_step_without_an_undo_that_would_be_done() -> None:
    assert [(phase, action.step, action.targets) for phase, action in planned(whole()).lasting] == [
        ("canary", "uninstall old k3s", "phys-1"),
        ("join", "uninstall old k3s", ", ".join(TARGETS[1:])),
        ("retire", "remove etcd member", ", ".join(SOURCES)),
    ]


def test_a_hash_is_the_same_whatever_begins_first_and_whatever_is_said() -> None:
    report = whole()
    other = whole()
    other.run, other.begun, other.entries = "run-2", ENDED, other.entries[::-1]
    other.entries[3].why = "uninstalled: 9 containers"

    assert plan_hash(other) == plan_hash(report)


@pytest.mark.parametrize("change", ["step", "target", "content", "config", "part"])
def test_a_hash_differs_when_something_else_would_be_done(change: str) -> None:
    report, other = whole(), whole()
    first = next(entry for entry in other.entries if entry.step == "write /etc/hosts")
    if change == "step":
        other.entries.remove(first)
    elif change == "target":
        first.target = "phys-9"
    elif change == "content":
        first.diffs = ("+10.0.0.2 phys-1",)
    elif change == "config":
        other.setting = {**SETTING, "config": "other"}
    else:
        other.part = "ends after join, as asked"

    assert plan_hash(other) != plan_hash(report)


def test_a_page_is_well_formed_needs_no_network_and_escapes_what_is_said() -> None:
    text = as_html(planned(whole()))

    ET.fromstring(text.partition("\n")[2])
    assert "&lt;1 GB free" in text
    assert "<here>" not in text
    assert "http" not in text
    assert "<script" not in text
