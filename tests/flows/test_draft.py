"""The command that drafts a config: what it refuses before any machine is contacted, and how it hands a draft over."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from configs.errors import ConfigError
from configs.ssh import Ssh
from deployments.draft import app, hand_over, ssh_of
from flows.draft import draft

DRAFT = "gates: []\n# DECIDE: one\n# DECIDE: two\n"


def test_a_draft_is_written_to_a_new_file_and_its_places_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "prod.yaml"

    hand_over(DRAFT, path)

    said = capsys.readouterr()
    assert (path.read_text(), said.out) == (DRAFT, "")
    assert said.err == f"2 places to decide: grep -n DECIDE {path}\n"
    with pytest.raises(FileExistsError):
        hand_over(DRAFT, path)


def test_without_a_file_the_draft_is_all_of_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    hand_over(DRAFT, None)

    assert capsys.readouterr().out == DRAFT


def test_a_file_that_exists_is_refused_before_a_machine_is_looked_for(tmp_path: Path) -> None:
    path = tmp_path / "prod.yaml"
    path.write_text("mine")

    said = CliRunner().invoke(app, ["--source", "no..name", "--output", str(path)])

    assert (said.exit_code, path.read_text()) == (2, "mine")
    assert said.stderr.strip().endswith("[draft-file-exists]")


def test_an_error_is_a_line_without_a_traceback() -> None:
    said = CliRunner().invoke(app, ["--source", "no..name"])

    assert (said.exit_code, said.stdout) == (2, "")
    assert said.stderr.startswith("no..name: no IPv4 address") and said.stderr.count("\n") == 1


def test_options_become_what_a_config_says_of_ssh() -> None:
    jump = [{"host": "10.0.0.9", "port": 2222, "user": "admin"}, {"host": "bastion"}]
    of_sudo = {"become": "sudo", "become_password": {"env": "OPS"}}

    found = ssh_of({"become_password": "OPS", "password": None}, ["admin@10.0.0.9:2222", "bastion"], user="ops", become="sudo", key=None)

    assert found == {"user": "ops", **of_sudo, "jump": jump}
    Ssh.model_validate(found)


def test_files_of_etcd_are_given_together() -> None:
    said = CliRunner().invoke(app, ["--source", "no..name", "--etcd-ca", "ca.crt"])

    assert said.exit_code == 2
    assert "give all three" in said.stderr


def test_settings_that_can_not_work_are_refused_by_name() -> None:
    with pytest.raises(ConfigError, match=r"^vm-1: ssh: user: "):
        draft("vm-1", "prod", {"user": "two words"})


def test_a_name_without_an_address_is_refused_with_what_to_give() -> None:
    with pytest.raises(ConfigError, match=r"^no\.\.name: no IPv4 address .* --source \[draft-source-unresolved\]"):
        draft("no..name", "prod", {"user": "root"})
