"""A run's figures are published when it has ended, however it ended; what goes wrong there is a warning."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows.metrics import measured
from tasks.engine.journal import Journal, Report
from tests.fakes.platform import platform


def run(folder: Path, textfile: Path, *, dry: bool = False, error: str = "") -> None:
    demo = platform(metrics={"textfile": str(textfile), "pushgateway": "http://127.0.0.1:9"})
    journal = Journal(Report(demo.name, "run-1", "migrate", dry), folder / "report.json")
    with measured(journal, demo):
        journal.finish("failed" if error else "verified", error)
        if error:
            raise ValueError(error)


def test_also_of_a_run_that_failed(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="phys-1 is away"):
        run(folder, tmp_path, error="phys-1 is away")

    (file,) = tmp_path.iterdir()
    assert 'evenkeel_run_success{flow="migrate",outcome="failed",platform="demo"} 0.0' in file.read_text()


def test_what_can_not_be_published_is_said_and_the_run_ends_as_it_did(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    run(folder, folder / "nowhere")

    assert "metrics.textfile" in caplog.text
    assert "metrics.pushgateway http://127.0.0.1:9" in caplog.text


def test_none_of_a_dry_run(folder: Path, tmp_path: Path) -> None:
    run(folder, tmp_path, dry=True)

    assert list(tmp_path.iterdir()) == []
