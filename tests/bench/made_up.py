"""A deployment that plans the move of a platform that does not exist: the real flow and Prefect, on fake machines.

python -m tests.bench.made_up NAME AT_ONCE
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from prefect import flow

from configs.load import load_platform
from flows.migrate import move
from tests.fakes.clock import FakeTime
from tests.fakes.world import World
from tests.flows.sessions import perform


@flow(name="made-up")
def made_up(config: str, dry_run: bool = True) -> None:
    """Plan all steps of this platform's move on machines made for the occasion."""
    with tempfile.TemporaryDirectory() as folder:
        perform(move, World(Path(folder), FakeTime(), load_platform(Path(config))), dry=dry_run)


if __name__ == "__main__":
    made_up.serve(name=sys.argv[1], limit=int(sys.argv[2]), print_starting_message=False)
