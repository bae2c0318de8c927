"""The world that steps act on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.clock import FakeTime
from tests.fakes.world import World


@pytest.fixture
def world(folder: Path, time: FakeTime) -> World:
    return World(folder, time)
