"""What clients noticed, and during which steps."""

import json
from pathlib import Path

import pytest

from configs.platform import Interruption
from tasks.engine.journal import Entry, Report
from tasks.report.chart import chart
from tasks.report.interruption import Budget, InterruptionError, Samples, interruptions_of, iso
from tasks.report.summary import markdown
from tests.fakes.probe import FakeProbe

T0 = 1_767_323_045.0
LIMITS = Interruption()


def row(at: float, *, series: str = "http http://shop/", ms: float = 5, error: str = "") -> str:
    return json.dumps({"at": T0 + at, "series": series, "ms": ms, "error": error}) + "\n"


def written(folder: Path, *rows: str) -> Samples:
    (folder / "samples.jsonl").write_text("".join(rows))
    return Samples(folder / "samples.jsonl")


def entry(step: str, begun: float, ended: float, outcome: str = "changed") -> Entry:
    return Entry(step, "phys-1", iso(T0 + begun), iso(T0 + ended), outcome)


def report(*entries: Entry) -> Report:
    return Report("demo", "run-1", "migrate", dry_run=False, begun=iso(T0), entries=list(entries))


def budget(samples: Samples, now: float, *entries: Entry) -> Budget:
    return Budget(samples, LIMITS, report(*entries), Quiet(), lambda: T0 + now)


class Quiet(FakeProbe):
    def check(self) -> None:
        """It samples, elsewhere."""


def test_a_gap_lies_between_two_answers(tmp_path: Path) -> None:
    rows = [row(0), row(0.2, error="refused"), row(0.4, error="refused"), row(1.2, ms=300)]

    (series,) = written(tmp_path, *rows).refresh().values()

    assert (series.samples, series.failures) == (4, 2)
    assert series.longest is not None
    assert series.longest.seconds == pytest.approx(1.495)


def test_an_answer_that_overtakes_a_slow_one_ends_the_gap(tmp_path: Path) -> None:
    (series,) = written(tmp_path, row(0), row(0.2, ms=2000), row(0.4)).refresh().values()

    assert series.longest is not None
    assert series.longest.seconds == pytest.approx(1.795)


def test_a_line_that_is_half_written_is_read_later(tmp_path: Path) -> None:
    samples = written(tmp_path, row(0), row(0.2)[:10])
    assert [one.samples for one in samples.refresh().values()] == [1]

    (tmp_path / "samples.jsonl").write_text(row(0) + row(0.2))
    assert [one.samples for one in samples.refresh().values()] == [2]


def test_over_the_budget_no_further_change_is_begun_and_the_step_is_named(tmp_path: Path) -> None:
    samples = written(tmp_path, row(0), row(0.3, error="refused"), row(1.5), row(1.7))
    steps = [entry("drain", 0.1, 1.0), entry("cordon", 0, 0.001), entry("join etcd", 3, 4), entry("look", 0, 2, "unchanged")]

    with pytest.raises(InterruptionError, match=r"no answer for 1.5 s, 1 s are allowed, during drain on phys-1: refused"):
        budget(samples, 1.8, *steps).check()


def test_a_gap_that_has_not_ended_counts(tmp_path: Path) -> None:
    samples = written(tmp_path, row(0), row(0.2, error="refused"))

    with pytest.raises(InterruptionError, match=r"no answer for 2.0 s"):
        budget(samples, 2.0).check()


def test_within_the_budget_nothing_is_raised(tmp_path: Path) -> None:
    budget(written(tmp_path, row(0), row(0.9), row(0.9, series="sql")), 1.0).check()


def test_each_series_has_its_own_limit() -> None:
    assert [LIMITS.of(name) for name in ("http http://shop/", "api", "etcd", "sql")] == [1, 2, 1, 5]


def test_the_report_has_per_series_what_was_noticed_during_what(tmp_path: Path) -> None:
    series = written(tmp_path, row(0), row(0.9)).refresh().values()
    whole = report(entry("drain", 0.1, 0.5))
    whole.interruptions = interruptions_of(series, LIMITS, whole.entries)

    assert "| http http://shop/ | 2 | 0 | 0.9 | 1 | 0.9 s: drain on phys-1 |" in markdown(whole)


def test_a_chart_has_a_bar_per_step_and_marks_gaps_with_their_steps(tmp_path: Path) -> None:
    series = written(tmp_path, row(0), row(2)).refresh().values()

    drawn = chart(report(entry("drain <vm>", 0.1, 0.5), entry("drain <vm>", 1, 2)), list(series))

    assert drawn.count("<title>drain &lt;vm&gt; on phys-1: changed") == 2
    assert "no answer for 2.00 s during drain &lt;vm&gt; on phys-1, drain" in drawn


def test_only_gaps_that_are_long_enough_to_be_read_are_labelled(tmp_path: Path) -> None:
    series = written(tmp_path, row(0), row(0.8), row(2.3)).refresh().values()

    drawn = chart(report(), list(series))

    assert "no answer for 0.80 s" in drawn
    assert ">0.8 s<" not in drawn
    assert ">1.5 s<" in drawn


def test_a_run_without_samples_has_a_chart_too() -> None:
    assert chart(report(), []).startswith("<svg")
