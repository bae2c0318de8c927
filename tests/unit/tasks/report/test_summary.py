"""A report as Markdown."""

import pytest

from tasks.engine.finding import Finding, Level, note, warning
from tasks.engine.journal import Entry, Report
from tasks.report.summary import by_step, markdown

BEGUN, ENDED = "2026-01-02T03:04:05.000+00:00", "2026-01-02T03:04:07.500+00:00"


def entry(step: str, target: str, **facts: object) -> Entry:
    return Entry(step, target, BEGUN, ended=ENDED, **facts)  # type: ignore[arg-type]


def report(*entries: Entry, dry: bool = False, **facts: object) -> Report:
    return Report("demo", "run-1", "migrate", dry, begun=BEGUN, ended=ENDED, entries=list(entries), **facts)  # type: ignore[arg-type]


def test_a_run_is_reported_by_step() -> None:
    text = markdown(
        report(
            entry("join etcd", "phys-1", outcome="changed", retries=1, ssh_round_trips=3),
            entry("join etcd", "phys-2", outcome="unchanged", ssh_round_trips=1),
            outcome="verified",
        )
    )

    assert text.startswith("# migrate demo: verified\n")
    assert "| join etcd | phys-1, phys-2 | changed, unchanged | 2.5 | 1 | 4 |" in text


def test_steps_come_in_the_order_in_which_they_began() -> None:
    found = by_step(report(entry("b", "x"), entry("a", "x"), entry("b", "y")))

    assert [(step, [e.target for e in entries]) for step, entries in found] == [("b", ["x", "y"]), ("a", ["x"])]


REFUSED = Finding("disk-full", Level.REFUSE, "vm-1", "no space", "make room")
ACCEPTED = Finding("port-closed", Level.REFUSE, "vm-2", "port 22 is closed", accepted="opened on Monday")
SLOW, MANY = note("disk-slow", "vm-1", "its disk is slow"), warning("etcd-many-members", "etcd", "6 members", "remove one")


@pytest.mark.parametrize("dry", [False, True], ids=["a run", "a dry run"])
def test_findings_are_listed_once_before_the_steps_refusals_first_and_accepted_ones_last(dry: bool) -> None:
    text = markdown(
        report(
            entry("check etcd", "demo", findings=(ACCEPTED, SLOW)),
            entry("check machine", "vm-1", findings=(MANY, SLOW, REFUSED)),
            dry=dry,
            error="vm-1: no space",
        )
    )

    assert "**vm-1: no space**" in text
    assert (
        "## Findings\n\n"
        "- refused: vm-1: no space: make room [disk-full]\n"
        "- warning: etcd: 6 members: remove one [etcd-many-members]\n"
        "- note: vm-1: its disk is slow [disk-slow]\n"
        "- accepted: vm-2: port 22 is closed [port-closed] (accepted: opened on Monday)\n\n"
    ) in text
    assert text.index("**vm-1") < text.index("## Findings") < text.index("check etcd")


def test_a_refusal_that_ends_the_run_is_reported_once_and_other_errors_stay() -> None:
    text = markdown(
        report(entry("check machine", "vm-1", findings=(REFUSED,)), outcome="failed", error=f"{REFUSED}\nvm-2: SSH broke")
    )

    assert text.count(str(REFUSED)) == 1
    assert "**vm-2: SSH broke**\n\n## Findings\n\n- refused: vm-1: no space" in text


def test_a_dry_run_is_reported_by_machine_with_its_diffs() -> None:
    text = markdown(
        report(
            entry("a", "phys-1", outcome="planned", why="copied", diffs=("+line", "")),
            entry("a", "phys-2", outcome="unchanged", why="in place"),
            entry("b", "phys-1", outcome="planned", why="loaded"),
            dry=True,
        )
    )

    assert text.count("## phys-1") == 1
    assert text.index("- a: planned: copied") < text.index("```diff\n+line\n```") < text.index("- b: planned: loaded")
    assert "- a: unchanged: in place" in text


def test_a_run_without_steps_has_a_report_without_findings() -> None:
    text = markdown(report())

    assert "run `run-1`, record `-`" in text
    assert "Findings" not in text
