"""The nastiest moments to die in, each on a fresh lab; `make test-faults` has all moments."""

from __future__ import annotations

import pytest

from tests.faults import state
from tests.faults.kills import kill_in_act
from tests.faults.quorum import is_healthy
from tests.lab import world
from tests.lab.conftest import Migrated, run_flow


@pytest.mark.parametrize(
    ("doing", "nth"),
    [
        pytest.param("uninstalling", 4, id="while four targets are being uninstalled"),
        pytest.param("joining etcd", 2, id="while a learner catches up"),
        pytest.param("stopping k3s", 2, id="while k3s is being stopped on sources"),
    ],
)
def test_killed_in_the_middle_the_same_command_goes_on(
    migrated: Migrated, secrets: dict[str, str], doing: str, nth: int
) -> None:
    world.lab("up", "--fresh", timeout_s=3000)
    kill_in_act(doing, nth, secrets)
    assert is_healthy()
    run_flow()
    assert state.differences(state.the_lab("phys-1"), migrated.state) == []
