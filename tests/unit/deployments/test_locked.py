"""What of the lock file a Python needs to run the project, and its developers' tools, which it does not need."""

from __future__ import annotations

from pathlib import Path

import pytest

from deployments.offline.build import PYTHONS
from deployments.offline.locked import needed, parse, roots

ROOT = Path(__file__).resolve().parents[3]
LOCK = """\
late==1.0 ; python_full_version >= '3.13' \\
    --hash=sha256:aa \\
    --hash=sha256:ab
    # via server
old==2.0 ; python_full_version < '3.11.3' \\
    --hash=sha256:ba
    # via
    #   server
    #   tester
only-windows==1 ; sys_platform == 'win32' \\
    --hash=sha256:bc
    # via server
server==3.0 \\
    --hash=sha256:ca
    # via evenkeel (pyproject.toml)
tester==4.0 \\
    --hash=sha256:da
    # via evenkeel (pyproject.toml)
"""


def test_a_line_for_pip_has_the_version_and_the_hashes_and_no_marker() -> None:
    assert parse(LOCK)["late"].hashed == "late==1.0 --hash=sha256:aa --hash=sha256:ab"


def test_what_is_required_comes_along_and_other_roots_do_not() -> None:
    assert [one.requirement.name for one in needed(parse(LOCK), {"server"})] == ["late", "old", "only-windows", "server"]


def test_a_name_that_is_not_locked_is_an_error() -> None:
    with pytest.raises(KeyError, match="absent"):
        needed(parse(LOCK), {"absent"})


@pytest.mark.parametrize(("python", "names"), [("3.11", ["old", "server"]), ("3.12", ["server"]), ("3.13", ["late", "server"])])
def test_markers_are_judged_by_the_python_that_is_meant_in_any_of_its_releases(python: str, names: list[str]) -> None:
    assert [one.requirement.name for one in needed(parse(LOCK), {"server"}) if one.is_for(python)] == names


def test_the_projects_own_lock_has_all_that_it_names_for_every_python_and_no_developers_tool() -> None:
    named = roots((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    packages = needed(parse((ROOT / "requirements.lock").read_text(encoding="utf-8")), named)
    names = {one.requirement.name for one in packages}
    assert {"prefect", "etcd3", "setuptools", "paramiko"} <= names
    assert not names & {"pytest", "ruff", "mypy", "import-linter"}
    for python in PYTHONS:
        assert named <= {one.requirement.name for one in packages if one.is_for(python)}
    assert all(one.hashes for one in packages)
