"""A whole run of these tests fails when they name an id that none of them has provoked: for tests/unit a name is enough."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.provoked import Provoked, only_named, texts_of

provoked = Provoked(Path(__file__).parent, lambda page, ids: only_named(page, ids, texts_of("wire")))


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(provoked)
