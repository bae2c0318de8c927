"""A report in words."""

from tasks.engine.journal import Entry, Report
from tasks.report.summary import by_step, markdown

BEGUN, ENDED = "2026-01-02T03:04:05.000+00:00", "2026-01-02T03:04:07.500+00:00"


def entry(step: str, target: str, **facts: object) -> Entry:
    return Entry(step, target, BEGUN, ended=ENDED, **facts)  # type: ignore[arg-type]


def report(*entries: Entry, dry: bool = False, **facts: object) -> Report:
    return Report("demo", "run-1", "migrate", dry, begun=BEGUN, ended=ENDED, entries=list(entries), **facts)  # type: ignore[arg-type]


def test_a_run_is_told_by_step() -> None:
    told = markdown(
        report(
            entry("join etcd", "phys-1", outcome="changed", retries=1, ssh_round_trips=3),
            entry("join etcd", "phys-2", outcome="unchanged", ssh_round_trips=1),
            outcome="verified",
        )
    )

    assert told.startswith("# migrate demo: verified\n")
    assert "| join etcd | phys-1, phys-2 | changed, unchanged | 2.5 | 1 | 4 |" in told


def test_steps_come_in_the_order_in_which_they_began() -> None:
    found = by_step(report(entry("b", "x"), entry("a", "x"), entry("b", "y")))

    assert [(step, [e.target for e in entries]) for step, entries in found] == [("b", ["x", "y"]), ("a", ["x"])]


def test_an_error_and_warnings_are_told() -> None:
    told = markdown(report(entry("a", "x", notes=("stale line",)), error="no quorum", warnings=["6 members"]))

    assert "**no quorum**" in told
    assert "- warning: 6 members\n- warning: x: a: stale line\n" in told


def test_a_dry_run_is_told_by_machine_with_its_diffs() -> None:
    told = markdown(
        report(
            entry("a", "phys-1", outcome="planned", why="copied", diffs=("+line", "")),
            entry("a", "phys-2", outcome="unchanged", why="in place"),
            entry("b", "phys-1", outcome="planned", why="loaded"),
            dry=True,
        )
    )

    assert told.count("## phys-1") == 1
    assert told.index("- a: planned: copied") < told.index("```diff\n+line\n```") < told.index("- b: planned: loaded")
    assert "- a: unchanged: in place" in told


def test_a_run_without_steps_is_told() -> None:
    assert "run `run-1`, record `-`" in markdown(report())
