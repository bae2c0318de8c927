"""Time that does not pass, and a quick place for the roots of fake machines."""

from __future__ import annotations

import gc
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.engine import waiting
from tests.fakes.clock import FakeTime

MEMORY = Path("/dev/shm")


def pytest_collection_finish() -> None:
    """Libraries and tests stay until the end: no collection of garbage need go through them again, nor begin for so little."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000)


@pytest.fixture
def time() -> Iterator[FakeTime]:
    """The clock of everything that waits, until the test ends."""
    fake = FakeTime()
    token = waiting.clock.set(waiting.Clock(fake.now, fake.sleep))
    yield fake
    waiting.clock.reset(token)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder in memory where there is one: journals are flushed to disk after every step."""
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as name:
        yield Path(name)
