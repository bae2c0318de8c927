"""Commands on this box return or report their output, or write it to a log."""

from pathlib import Path

import pytest

from deployments.lab.shell import LabError, run


def test_a_log_is_written_where_no_folder_is_yet(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "one.log"

    run("echo", "hello", log=log)
    run("echo", "again", log=log)

    assert log.read_text() == "hello\nagain\n"


def test_a_failure_is_reported_with_the_end_of_its_output(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"`sh -c 'echo why; exit 3'` ended with status 3:\n    why"):
        run("sh", "-c", "echo why; exit 3", log=tmp_path / "log")


def test_a_program_that_is_missing_is_reported() -> None:
    with pytest.raises(LabError, match="`no-such-program` is not installed"):
        run("no-such-program")
