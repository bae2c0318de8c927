"""A run in figures."""

from __future__ import annotations

from tasks.engine.finding import Finding, Level
from tasks.engine.journal import Entry, Report
from tasks.metrics.figures import figures_of
from tasks.report.interruption import epoch, iso

T0 = 1_767_323_045.0
TAKEN = iso(T0 - 60)


def entry(outcome: str, begun: float, ended: float, *, retries: int = 0, level: Level | None = None) -> Entry:
    findings = (Finding("an-id", level, "phys-1", "what", "remedy"),) if level else ()
    return Entry("a step", "phys-1", iso(T0 + begun), iso(T0 + ended), outcome, phase="join", retries=retries, findings=findings)


def found(**facts: object) -> dict[tuple[str, ...], float]:
    known = {"outcome": "verified", "begun": iso(T0), "ended": iso(T0 + 90), **facts}
    report = Report("demo", "run-1", "migrate", False, **known)  # type: ignore[arg-type]
    return {(one.name, *(value for _, value in one.labels)): one.value for one in figures_of(report)}


def test_how_and_when_it_ended() -> None:
    figures = found()

    assert figures["evenkeel_run_success", "verified"] == 1
    assert figures["evenkeel_run_end_timestamp_seconds",] == T0 + 90
    assert figures["evenkeel_run_duration_seconds",] == 90
    assert found(outcome="failed")["evenkeel_run_success", "failed"] == 0


def test_what_its_steps_did() -> None:
    entries = [entry("changed", 0, 10, retries=2), entry("changed", 5, 20), entry("unchanged", 20, 21, level=Level.WARN)]

    figures = found(entries=entries)

    assert figures["evenkeel_phase_duration_seconds", "join"] == 21
    assert [figures["evenkeel_steps", outcome] for outcome in ("changed", "unchanged", "failed")] == [2, 1, 0]
    assert figures["evenkeel_step_retries",] == 2
    assert figures["evenkeel_findings", "warn"] == 1


def test_what_clients_noticed_also_where_they_noticed_nothing() -> None:
    noticed = [
        {"series": "etcd", "samples": 10, "failures": 1, "longest_gap_s": 0.4},
        {"series": "api", "samples": 9, "failures": 0, "longest_gap_s": None},
    ]

    figures = found(interruptions=noticed)

    assert [figures[f"evenkeel_client_{what}", "etcd"] for what in ("samples", "failures", "longest_gap_seconds")] == [10, 1, 0.4]
    assert figures["evenkeel_client_longest_gap_seconds", "api"] == 0


def test_which_backup_there_is() -> None:
    assert found(backup={"taken": TAKEN})["evenkeel_backup_timestamp_seconds",] == epoch(TAKEN)
    assert [name for name, *_ in found() if "backup" in name] == []
