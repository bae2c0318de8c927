"""Run a flow in this process, and kill its whole process group at the first moment that is on the list and not yet met.

python -m tests.faults.killer FLOW LEDGER MOMENT...: a moment is "before act", "in act", "after act" or "after verify".
What several machines do side by side is killed together: a thread that comes to its moment stays there for a while, so
that its siblings can come to theirs, and all of them die there. The ledger, a file, has a line for every moment that was
met, so the next run is killed at the next one. Exit code 0 means that the flow has ended, whole.
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

from tasks.engine.run import moments

PARAMETERS: dict[str, dict[str, object]] = {"rollback": {"approved": True}, "migrate": {"ignore_interruption": True}}
GUESS_S = 0.2  # an act of unknown length is cut after so long
CUT_AT = 0.25  # of an act's length: half of it comes too late when the machine is twice as fast as when it was measured
SIBLINGS_S = 1.0  # how long a thread stays at its moment for the others
UNDER_WAY_S = 0.1  # an act that began a shorter while ago is not in its middle

Point = tuple[str, str, str]


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
        self._there: list[Point] = []
        self._turn = threading.Lock()

    def __call__(self, moment: str, target: str, doing: str) -> None:
        act = (target, doing)
        if moment == "after act":
            began = self._begun.pop(act)
            if not self._wanted:
                self._ledger.write(act=act, seconds=time.monotonic() - began)
        if self._is_wanted(moment, act):
            self._stay((moment, *act))
        if moment == "before act":
            self._begun[act] = time.monotonic()
            if self._is_wanted("in act", act):
                cut = threading.Timer(self._ledger.lengths.get(act, GUESS_S / CUT_AT) * CUT_AT, self._cut, (act,))
                cut.daemon = True
                cut.start()

    def _is_wanted(self, moment: str, act: tuple[str, str]) -> bool:
        return moment in self._wanted and (moment, *act) not in self._ledger.met

    def _stay(self, point: Point) -> None:
        with self._turn:
            self._there.append(point)
            first = len(self._there) == 1
        if first:
            time.sleep(SIBLINGS_S)
            with self._turn:
                self._kill(self._there)
        time.sleep(60)  # no thread that came here goes any further

    def _cut(self, act: tuple[str, str]) -> None:
        """Kill all acts that are under way, unless this one has just ended."""
        with self._turn:
            now, begun = time.monotonic(), list(self._begun.items())
            in_middle = {one for one, began in begun if now - began > UNDER_WAY_S and self._is_wanted("in act", one)}
            if act in dict(begun):
                self._kill([("in act", *one) for one in sorted({act} | in_middle)])

    def _kill(self, points: list[Point]) -> None:
        for point in points:
            self._ledger.write(met=point)
        sys.stderr.write(f"killed {json.dumps(points)}\n")
        sys.stderr.flush()
        os.killpg(0, signal.SIGKILL)


def main(name: str, ledger: str, *wanted: str) -> None:
    moments.set(Killer(Ledger(Path(ledger)), list(wanted)))
    flow = load_flow_from_entrypoint(f"flows/{name}.py:{name}")
    flow(config="configs/lab.yaml", **PARAMETERS.get(name, {}))


if __name__ == "__main__":
    main(*sys.argv[1:])
