"""What clients noticed, and during which steps."""

import json
from pathlib import Path

import pytest

from blocks.errors import HostError
from configs.platform import Interruption
from tasks.engine.journal import Entry, Report
from tasks.report.chart import chart
from tasks.report.interruption import Budget, InterruptionError, Samples, interruptions_of, iso
from tasks.report.summary import markdown
from tests.fakes.clock import FakeTime
from tests.fakes.probe import FakeProbe

T0 = 1_767_323_045.0
LIMITS = Interruption()


def row(at: float, *, series: str = "http http://shop/", ms: float = 5, error: str = "") -> str:
    return json.dumps({"at": T0 + at, "series": series, "ms": ms, "error": error}) + "\n"


def written(folder: Path, *rows: str) -> Samples:
    (folder / "samples.jsonl").write_text("".join(rows))
    return Samples(folder / "samples.jsonl")


def entry(step: str, begun: float, ended: float | None, outcome: str = "changed", *, acted: float | None = None) -> Entry:
    """A step that acts from its beginning, or from `acted` on; one that changes nothing never does."""
    first = None if outcome == "unchanged" else iso(T0 + (begun if acted is None else acted))
    return Entry(step, "phys-1", iso(T0 + begun), None if ended is None else iso(T0 + ended), outcome, acted=first)


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


def silent(begun: float, ended: float, *, series: str = "http http://shop/") -> list[str]:
    """No answer between these two."""
    return [row(begun, ms=0, series=series), row(begun + 0.2, error="refused", series=series), row(ended, ms=0, series=series)]


def test_over_the_budget_no_further_change_is_begun_and_the_step_is_named(tmp_path: Path) -> None:
    samples = written(tmp_path, *silent(0, 7.5), row(7.7))
    steps = [entry("drain", 0, 1.0), entry("cordon", -1, -0.5), entry("join etcd", 8, 9), entry("look", 0, 2, "unchanged")]

    with pytest.raises(InterruptionError, match=r"no answer for 7.5 s, 5 s are allowed, during drain on phys-1: refused: what is done"):
        budget(samples, 7.8, *steps).check()


@pytest.mark.parametrize(
    "steps",
    [[], [entry("look", 0, 100, "unchanged")], [entry("drain", -9, -1)], [entry("drain", 61, 70)]],
    ids=["idle", "a check", "an act that had ended", "an act that began later"],
)
def test_a_gap_in_which_nothing_acts_costs_nothing_however_long(tmp_path: Path, steps: list[Entry]) -> None:
    budget(written(tmp_path, *silent(0, 60), row(60.2)), 60.3, *steps).check()


def test_waiting_for_approval_costs_nothing_unless_an_act_before_it_began_the_gap(tmp_path: Path) -> None:
    samples = written(tmp_path, *silent(0, 4), *silent(4, 3600), row(3600.2))

    budget(samples, 3600.3, entry("drain", 0, 3)).check()
    with pytest.raises(InterruptionError, match=r"no answer for 3596\.0 s"):
        budget(samples, 3600.3, entry("drain", 0, 4.5)).check()


def test_a_gap_counts_from_the_first_act_in_it(tmp_path: Path) -> None:
    samples = written(tmp_path, *silent(0, 60), row(60.2))

    budget(samples, 60.3, entry("drain", 50, 59, acted=56)).check()
    with pytest.raises(InterruptionError, match=r"no answer for 6\.0 s"):
        budget(samples, 60.3, entry("drain", 50, 59, acted=54)).check()


def test_a_step_counts_only_from_its_act_on(tmp_path: Path) -> None:
    budget(written(tmp_path, *silent(0, 9), row(9.2)), 9.3, entry("drain", 0, None, "running", acted=9.1)).check()


def test_a_gap_that_has_not_ended_counts(tmp_path: Path) -> None:
    samples = written(tmp_path, row(0, ms=0), row(0.2, error="refused"))

    with pytest.raises(InterruptionError, match=r"no answer for 6.0 s"):
        budget(samples, 6.0, entry("drain", 0, None, "running")).check()


def test_no_act_begins_amid_a_gap_that_is_nobodys_and_it_waits_for_an_answer(tmp_path: Path, time: FakeTime) -> None:
    path = tmp_path / "samples.jsonl"
    samples, begun = written(tmp_path, row(0, ms=0), row(0.2, error="refused")), time.now()
    time.later(20, lambda: path.write_text(path.read_text() + row(28, ms=0)))

    Budget(samples, LIMITS, report(), Quiet(), lambda: T0 + 8 + time.now() - begun).check()

    assert time.now() - begun == pytest.approx(20, abs=1)


def test_clients_that_get_no_answer_for_good_stop_the_run_though_nothing_acts(tmp_path: Path, time: FakeTime) -> None:
    samples, begun = written(tmp_path, row(0, ms=0), row(0.2, error="refused")), time.now()

    with pytest.raises(InterruptionError, match=r"before the next change, though no step acts: http .* refused: mend .*unanswered"):
        Budget(samples, LIMITS, report(), Quiet(), lambda: T0 + 8 + time.now() - begun).check()


def test_a_probe_that_has_ended_stops_the_run_in_the_same_way(tmp_path: Path) -> None:
    class Ended(FakeProbe):
        def check(self) -> None:
            raise HostError("clients: the probe has ended", id="probe-ended")

    with pytest.raises(InterruptionError, match=r"the probe has ended \[probe-ended\]"):
        Budget(written(tmp_path, row(0)), LIMITS, report(), Ended(), lambda: T0).check()


def test_within_the_budget_nothing_is_raised(tmp_path: Path) -> None:
    rows = [*silent(0, 4.5), *silent(0, 4.5, series="sql")]
    budget(written(tmp_path, *rows), 5.0, entry("drain", 0, 5)).check()


def test_each_series_has_its_own_limit() -> None:
    assert [LIMITS.of(name) for name in ("http http://shop/", "api", "etcd", "sql")] == [5, 10, 5, 30]


def test_the_report_has_per_series_what_was_noticed_during_what(tmp_path: Path) -> None:
    series = written(tmp_path, row(0), row(0.9)).refresh().values()
    whole = report(entry("drain", 0.1, 0.5))
    whole.interruptions = interruptions_of(series, LIMITS, whole.entries)

    assert "| http http://shop/ | 2 | 0 | 0.9 | 5 | 0.9 s: drain on phys-1 |" in markdown(whole)


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


def test_of_two_labels_that_would_overlap_the_longer_gaps_is_drawn_over_all_bars(tmp_path: Path) -> None:
    series = written(tmp_path, row(0), row(1.2), row(1.4), row(3.3), row(60), row(62)).refresh().values()

    drawn = chart(report(), list(series))

    assert ">1.2 s<" not in drawn
    assert drawn.index(">1.9 s<") > drawn.rindex("<rect")


def test_a_run_without_samples_has_a_chart_too() -> None:
    assert chart(report(), []).startswith("<svg")
