"""Every way in which a platform's servers may have got their token, on both versions: the whole move, verified."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults import state
from tests.faults.conftest import Uninterrupted
from tests.faults.kills import kill_in_act
from tests.faults.rogue import found_second_cluster
from tests.faults.runs import migrate
from tests.lab import world

pytestmark = pytest.mark.timeout(1800)
CONFIG = world.ROOT / "configs/lab.yaml"
FORMS = [("1.20.8", "short"), ("1.20.8", "full"), ("1.20.9", "empty"), ("1.20.9", "short"), ("1.20.9", "full")]
"""Version and form; 1.20.8 without a token is what all other tests run on."""


@pytest.mark.parametrize(("version", "form"), FORMS)
def test_servers_join_the_live_cluster_however_its_token_was_given(
    server: None, secrets: dict[str, str], monkeypatch: pytest.MonkeyPatch, version: str, form: str, tmp_path: Path
) -> None:
    monkeypatch.setenv("LAB_K3S_VERSION", version)
    monkeypatch.setenv("LAB_K3S_TOKEN", form)
    world.lab("up", "--fresh", timeout_s=3000)
    before = world.identities("vm-1")

    ended = migrate(secrets, CONFIG)

    assert ended.ok, ended.error
    assert ended.report["outcome"] == "verified"
    assert world.identities("phys-1") == before
    assert len(before) == 1


def test_a_second_cluster_is_healed_also_by_the_successor_of_a_run_killed_meanwhile(
    uninterrupted: Uninterrupted, secrets: dict[str, str]
) -> None:
    world.lab("up", "--fresh", timeout_s=3000)
    found_second_cluster("phys-2")
    kill_in_act("taking a second cluster back", 1, secrets)

    ended = migrate(secrets, CONFIG)

    assert ended.ok, ended.error
    assert len(world.identities("phys-1")) == 1
    assert state.differences(state.the_lab("phys-1"), uninterrupted.state) == []
