"""What `make lint` gives to ShellCheck is all that is sent, and what it finds is said so that the place is found."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.shellcheck import BESIDE, in_files, problems, unseen

PROGRAM = str(BESIDE) if BESIDE.exists() else shutil.which("shellcheck")
needs_shellcheck = pytest.mark.skipif(PROGRAM is None, reason="no shellcheck: make setup")


def test_a_script_that_no_case_sends_is_named_by_its_place(tmp_path: Path) -> None:
    room = tmp_path / "tasks/etcd"
    room.mkdir(parents=True)
    sends = 'host.run("true", what="trying")\nhost.run("true", what=f"reading {path}")\nhost.run("true", what="clearing")\n'
    (room / "join.py").write_text(sends)

    missing = list(unseen({"trying", "reading /etc/hosts"}, tmp_path))

    assert [line.partition(": ")[0] for line in missing] == ["tasks/etcd/join.py:3"]


def test_scripts_without_an_ending_are_files_too() -> None:
    names = {path.name for path in in_files()}

    assert {"install.sh", "tidb-ctl.sh", "lab-init", "run"} <= names


@needs_shellcheck
def test_a_finding_in_what_is_sent_has_what_for_and_the_line() -> None:
    assert PROGRAM is not None
    script = 'set -eu\ndocker stop $all\n'

    (found,) = problems(PROGRAM, {"all=$(docker ps -q)\n" + script: "stopping pods"}, [])

    assert found.startswith("stopping pods: ") and found.endswith("[SC2086]: docker stop $all")


@needs_shellcheck
def test_a_piece_that_another_file_reads_is_checked_with_it(tmp_path: Path) -> None:
    assert PROGRAM is not None
    whole = tmp_path / "whole.sh"
    whole.write_text(f"#!/bin/sh\n# shellcheck source={tmp_path}/piece.sh\n. ./piece.sh\n")
    (tmp_path / "piece.sh").write_text("echo $1\n")

    (found,) = problems(PROGRAM, {}, [whole])

    assert "piece.sh:1:6:" in found
