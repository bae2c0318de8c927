"""Run a flow in this process, and kill its whole process group at the first moment that is on the list and not yet met.

python -m tests.faults.killer FLOW LEDGER MOMENT...: a moment is "before act", "in act", "after act" or "after verify".
The ledger, a file, has a line for every moment that was met, so the next run is killed at the next one. Exit code 0
means that the flow has ended, whole.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

from prefect.flows import load_flow_from_entrypoint

from tasks.run import moments

PARAMETERS: dict[str, dict[str, object]] = {"rollback": {"approved": True}, "migrate": {"ignore_interruption": True}}
GUESS_S = 0.2  # an act of unknown length is cut after so long


class Ledger:
    """What was met, and how long acts took in a run that nobody killed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        self.met = {tuple(line["met"]) for line in lines if "met" in line}
        self.lengths = {tuple(line["act"]): line["seconds"] for line in lines if "act" in line}

    def write(self, **line: object) -> None:
        with self._path.open("a") as file:
            file.write(json.dumps(line) + "\n")
            file.flush()
            os.fsync(file.fileno())


class Killer:
    """Listens to a run's moments; without any on its list it measures."""

    def __init__(self, ledger: Ledger, wanted: list[str]) -> None:
        self._ledger, self._wanted = ledger, wanted
        self._begun: dict[tuple[str, str], float] = {}
        self._turn = threading.Lock()

    def __call__(self, moment: str, target: str, doing: str) -> None:
        self._meet(moment, target, doing)
        act = (target, doing)
        if moment == "before act":
            self._begun[act] = time.monotonic()
            if "in act" in self._wanted and ("in act", *act) not in self._ledger.met:
                cut = threading.Timer(self._ledger.lengths.get(act, 2 * GUESS_S) / 2, self._meet, ("in act", *act))
                cut.daemon = True
                cut.start()
        elif moment == "after act" and not self._wanted:
            self._ledger.write(act=act, seconds=time.monotonic() - self._begun[act])

    def _meet(self, moment: str, target: str, doing: str) -> None:
        if moment not in self._wanted or (moment, target, doing) in self._ledger.met:
            return
        with self._turn:
            self._ledger.write(met=(moment, target, doing))
            sys.stderr.write(f"killed {moment}: {target}: {doing}\n")
            sys.stderr.flush()
            os.killpg(0, signal.SIGKILL)
            time.sleep(60)  # nobody else may be killed at another moment


def main(name: str, ledger: str, *wanted: str) -> None:
    moments.set(Killer(Ledger(Path(ledger)), list(wanted)))
    flow = load_flow_from_entrypoint(f"flows/{name}.py:{name}")
    flow(config="configs/lab.yaml", **PARAMETERS.get(name, {}))


if __name__ == "__main__":
    main(*sys.argv[1:])
