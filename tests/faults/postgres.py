"""A PostgreSQL of Debian's for Prefect's server, as a process of ours in a folder of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.lab import world

PORT = 5499
INSTALL = ("apt-get", "install", "--yes", "--no-install-recommends", "postgresql")
AS_POSTGRES = ("setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups")  # it refuses to run as root


def programs() -> Path:
    """The folder of PostgreSQL's programs, installed if need be; no service is started."""
    if not list(Path("/usr/lib/postgresql").glob("*/bin/initdb")):
        # At runlevel 1 Debian's packages start nothing.
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
        for command in (("apt-get", "update"), INSTALL):
            subprocess.run(command, env=environment, check=True, capture_output=True, timeout=600)
    return max(Path("/usr/lib/postgresql").glob("*/bin"))


@contextmanager
def postgres() -> Iterator[str]:
    """The URL of an empty database, as Prefect's server takes it."""
    bins, folder = programs(), Path(tempfile.mkdtemp(prefix="evenkeel-postgres-"))
    shutil.chown(folder, "postgres", "postgres")
    data, log = folder / "data", folder / "log"
    subprocess.run([*AS_POSTGRES, bins / "initdb", "--pgdata", data, "--auth=trust"], cwd=folder, check=True, capture_output=True)
    with log.open("wb") as said:
        command = [*AS_POSTGRES, bins / "postgres", "-D", data, "-k", folder, "-h", "127.0.0.1", "-p", str(PORT)]
        server = subprocess.Popen(command, cwd=folder, stdout=said, stderr=said)
    try:
        ready = [bins / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(PORT)]
        world.eventually("PostgreSQL answers", lambda: subprocess.run(ready, check=False).returncode == 0, within_s=60)
        yield f"postgresql+asyncpg://postgres@127.0.0.1:{PORT}/postgres"
    finally:
        server.terminate()
        try:
            server.wait(30)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait(10)
        shutil.rmtree(folder)
