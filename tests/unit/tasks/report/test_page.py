"""A run's page, and the index of all runs."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

from tasks.engine.finding import Finding, Level
from tasks.engine.journal import Entry, Report
from tasks.report.interruption import iso
from tasks.report.page import by_host, images, index, moved, page

T0 = 1_767_323_045.0
SETTING = {"config": "c0ffee", "sources": [{"name": "vm-1"}], "targets": [{"name": "phys-1"}]}
FULL = Finding("disk-full", Level.REFUSE, "phys-1", "<1 GB free", "make room", accepted="grown on Monday")
LATE = Finding("clock-off", Level.WARN, "vm-1", "2 s late")


def entry(step: str, target: str, begun: float, ended: float | None, outcome: str = "changed", **facts: object) -> Entry:
    return Entry(step, target, iso(T0 + begun), None if ended is None else iso(T0 + ended), outcome, **facts)  # type: ignore[arg-type]


def report() -> Report:
    asked = ("phys-1: reading etcd's unit", "phys-1: reading etcd's unit", "phys-1: starting etcd")
    entries = [
        entry("check machine", "vm-1", 0, 1, "unchanged", findings=(FULL, LATE)),
        entry("check machine", "phys-1", 0, 2, "unchanged"),
        entry("check routes", "phys-1", 1, 3, "unchanged"),
        entry("join etcd", "phys-1", 3, 9, commands=asked, retries=2, why="voter, of <2>", diffs=("+a",)),
        entry("drain", "vm-1", 9, 19, why="evicted: shop/web-1"),
        entry("surge", "web", 8, 9),
        entry("backup", "demo", 2, 3),
        entry("hand over VIP", "vm-1", 19, 20, why="the VIP is on phys-1"),
    ]
    gap = {"begun": iso(T0 + 19), "seconds": 1.5, "during": ["hand over VIP on vm-1"]}
    clients = {"series": "http web", "samples": 90, "failures": 4, "longest_gap_s": 1.5, "budget_s": 5, "error": "", "gaps": [gap]}
    same, other = {"app": "app:1"}, {"app": "app:2"}
    return Report(
        "demo",
        "run-1",
        "migrate",
        dry_run=False,
        begun=iso(T0),
        ended=iso(T0 + 21),
        outcome="verified",
        interruptions=[clients],
        entries=entries,
        setting=SETTING,
        before={"voters": ["vm-1"], "nodes": ["vm-1"], "images": {"Deployment shop/a": same, "Deployment shop/web": same}},
        after={"voters": ["phys-1"], "nodes": ["phys-1"], "images": {"Deployment shop/a": same, "Deployment shop/web": other}},
        backup={"name": "tidb-backup-1.tar.gz", "taken": iso(T0), "size": 7, "sha256": "ab" * 32},
    )


def parsed(text: str) -> ET.Element:
    return ET.fromstring(text.partition("\n")[2])


def test_a_page_is_well_formed_and_needs_neither_network_nor_scripts() -> None:
    text = page(report())

    parsed(text)
    assert re.findall(r"https?://[^\s\"]+", text) == ["http://www.w3.org/2000/svg"]
    assert "<script" not in text
    assert "voter, of &lt;2&gt;" in text


def test_the_verdict_comes_first_and_the_evidence_behind_it() -> None:
    text = " ".join(parsed(page(report())).itertext())
    order = ["verified", "Clients waited at most", "What moved", "Timeline", "tidb-backup-1.tar.gz", "grown on Monday", "2 s late"]

    places = [text.index(word) for word in order]
    assert places == sorted(places)


def test_commands_are_counted_by_what_they_are_for() -> None:
    text = page(report())

    assert "3 commands" in text
    assert "reading etcd&#39;s unit (2 times)" in text


def test_hosts_come_in_the_configs_order_then_the_platform_then_workloads() -> None:
    assert [name for name, _ in by_host(report())] == ["vm-1", "phys-1", "demo", "workloads"]


def test_a_report_of_before_machines_were_in_it_has_a_page_too() -> None:
    old = report()
    old.setting, old.before, old.after, old.backup = {}, {}, {}, {}

    assert [name for name, _ in by_host(old)] == ["demo", "phys-1", "vm-1", "web"]
    assert "Not asked at both ends of the run." in page(old)


def test_every_bar_leads_to_the_row_that_says_more() -> None:
    root = parsed(page(report()))
    ids = {element.get("id") for element in root.iter() if element.get("id")}
    bars = [link for link in root.iter("{http://www.w3.org/2000/svg}a")]

    assert {str(link.get("href")).removeprefix("#") for link in bars} == ids
    assert len(bars) == len(report().entries)


def test_steps_side_by_side_on_one_host_have_rows_of_their_own() -> None:
    drawn = [r for r in parsed(page(report())).iter("{http://www.w3.org/2000/svg}rect") if "phys-1: unchanged" in "".join(r.itertext())]

    assert len({bar.get("y") for bar in drawn}) == len(drawn) == 2


def test_what_moved_is_what_differs_and_who_was_drained() -> None:
    assert list(moved(report())) == [
        ("etcd's voters", "vm-1", "phys-1"),
        ("nodes", "vm-1", "phys-1"),
        ("drain, vm-1", "", "evicted: shop/web-1"),
        ("hand over VIP, vm-1", "", "the VIP is on phys-1"),
    ]


def test_images_that_differ_come_first() -> None:
    assert images(report()) == [("Deployment shop/web: app", "app:1", "app:2"), ("Deployment shop/a: app", "app:1", "app:1")]


def test_a_run_that_failed_says_why_at_the_top() -> None:
    failed = report()
    failed.outcome, failed.error = "failed", "vm-2: k3s <hangs> [host-error]"
    failed.entries.append(entry("stop k3s on source", "vm-2", 20, None, "running", awaiting="k3s has stopped"))

    text = " ".join(parsed(page(failed)).itertext())
    assert text.index("k3s <hangs>") < text.index("What moved")
    assert "k3s has stopped" in text


def test_the_index_links_every_run_and_compares_their_phases() -> None:
    slow, quick = report(), report()
    for run, name, scale in ((slow, "run-2", 2), (quick, "run-1", 1)):
        run.run = name
        run.entries = [entry("drain", "vm-1", 0, 10.0 * scale, phase="drain"), entry("look", "vm-1", 0, 1, phase="verify")]

    text = index([("demo/run-2/report.html", slow), ("demo/run-1/report.html", quick)])

    links = [str(link.get("href")) for link in parsed(text).iter("a")]
    assert links == ["demo/run-2/report.html", "demo/run-1/report.html"]
    assert "20 s" in text
    assert "#2a6fbb44 50%" in text
