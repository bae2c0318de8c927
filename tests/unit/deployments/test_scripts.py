"""The console scripts that an installation has."""

from __future__ import annotations

import importlib
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from deployments.cli import app

ROOT = Path(__file__).resolve().parents[3]
SCRIPTS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
COMMANDS = ["approve", "backup", "check", "draft", "migrate", "plan", "report", "rollback", "watch"]


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_leads_to_a_command(name: str) -> None:
    module, _, attribute = SCRIPTS[name].partition(":")

    assert callable(getattr(importlib.import_module(module), attribute))


def test_evenkeel_has_a_command_for_everything_that_an_operator_does() -> None:
    assert sorted(str(one.name or one.callback.__name__) for one in app.registered_commands if one.callback) == COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str) -> None:
    said = CliRunner().invoke(app, [command, "--help"])

    assert (said.exit_code, "Usage:" in said.output) == (0, True)


def test_a_config_is_checked_by_the_same_code_as_python_m(tmp_path: Path) -> None:
    (tmp_path / "demo.yaml").write_text("platform: [", encoding="utf-8")

    assert CliRunner().invoke(app, ["check", "configs/prod.example.yaml"]).exit_code == 0
    assert CliRunner().invoke(app, ["check", str(tmp_path / "demo.yaml")]).exit_code == 2
