"""A whole run of these tests fails when there is an id that none of them has provoked."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.provoked import LONGER, Provoked, never_provoked, texts_of

provoked = Provoked(Path(__file__).parent, lambda page, ids: never_provoked(page, ids, texts_of(*LONGER)))


def pytest_configure(config: pytest.Config) -> None:
    # Pytest shows the log of a test that fails; Prefect's console would lay out each line of all others, too.
    os.environ["PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL"] = "CRITICAL"
    config.pluginmanager.register(provoked)
