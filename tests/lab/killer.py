"""Run a flow in this process and kill it, its whole process group, at the n-th moment of an act.

python -m tests.lab.killer FLOW MOMENT: exit code 0 means that the flow ended before it had so many moments.
"""

from __future__ import annotations

import os
import signal
import sys

from prefect.flows import load_flow_from_entrypoint

from tasks.run import moments

PARAMETERS = {"rollback": {"approved": True}}


def main(name: str, at: int) -> None:
    seen = 0

    def count(moment: str, target: str, doing: str) -> None:
        nonlocal seen
        seen += 1
        if seen == at:
            sys.stderr.write(f"killed {moment}: {target}: {doing}\n")
            sys.stderr.flush()
            os.killpg(0, signal.SIGKILL)

    moments.set(count)
    load_flow_from_entrypoint(f"flows/{name}.py:{name}")(config="configs/lab.yaml", **PARAMETERS.get(name, {}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
