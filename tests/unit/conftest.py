"""A whole run of these tests fails when there is an id that none of them has provoked."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.provoked import LONGER, Provoked, never_provoked, texts_of

provoked = Provoked(Path(__file__).parent, lambda page, ids: never_provoked(page, ids, texts_of(*LONGER)))


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(provoked)
