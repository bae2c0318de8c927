"""The process that plays clients, begun and ended by a run."""

from __future__ import annotations

import logging
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from blocks.errors import HostError
from blocks.probe_clients import ProbeConfig
from blocks.probe_database import TABLE

log = logging.getLogger(__name__)

END_S = 10  # samples under way have a second each, table and key are deleted


class ProbeProcess:
    """`blocks.probe` in a process of its own. It ends with its standard input, so also when this process is killed."""

    def __init__(self, config: ProbeConfig) -> None:
        self._config = config
        self._log = Path(config.samples).with_suffix(".log")
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Begin sampling."""
        with self._log.open("w", encoding="utf-8") as errors:
            self._process = process = subprocess.Popen(
                [sys.executable, "-m", "blocks.probe"],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                text=True,
                start_new_session=True,
            )
        if process.stdin is not None:
            process.stdin.write(self._config.line())
            process.stdin.flush()

    def check(self) -> None:
        """Raises HostError when it has ended by itself."""
        if self._process is None or self._process.poll() is not None:
            raise HostError(f"clients: the probe has ended: see {self._log}, then run the same command again", id="probe-ended")

    def stop(self) -> bool:
        """End it; whether it ever ran."""
        if self._process is None:
            return False
        with suppress(subprocess.TimeoutExpired, BrokenPipeError):
            self._process.communicate(timeout=END_S)
        if self._process.returncode != 0:
            self._process.kill()
            self._process.wait()
            log.warning(
                "clients: the probe did not end in order; table %s in the database and key %s in etcd may be left: see %s",
                TABLE, self._config.key, self._log,
            )
        return True
