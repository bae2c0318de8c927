"""Clients that are answered, one sample at every look, until a test lets them wait."""

from __future__ import annotations

import json
import time
from pathlib import Path

from blocks.probe_clients import ProbeConfig


class FakeProbe:
    """See ports.Probe; as a factory it is called with the config, and gives itself."""

    def __init__(self) -> None:
        self.starts = self.stops = 0
        self.silent: set[str] = set()
        """Series that nobody ever answers."""
        self.later: dict[str, float] = {}
        """By series: how many seconds its clients wait once, when time passes."""
        self.waits: dict[str, float] = {}
        self._config: ProbeConfig | None = None
        self._runs = False

    def __call__(self, config: ProbeConfig) -> FakeProbe:
        self._config, self._runs = config, False
        return self

    def start(self) -> None:
        self.starts, self._runs = self.starts + 1, True
        self.check()

    def check(self) -> None:
        assert self._config is not None
        for series in (*(f"http {url}" for url in self._config.http), "api", "etcd", *(["sql"] if self._config.sql else [])):
            late = self.waits.pop(series, 0)
            error = "refused" if series in self.silent else ""
            row = {"at": time.time(), "series": series, "ms": late * 1000, "error": error}
            with Path(self._config.samples).open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")

    def time_passes(self) -> None:
        self.waits, self.later = self.later, {}

    def stop(self) -> bool:
        if self._runs:
            self.stops += 1
            self.check()
        return self._runs
