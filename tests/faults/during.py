"""Run a flow in this process, and commands at chosen moments of it; the flow goes on.

python -m tests.faults.during FLOW CONFIG TRIGGERS: a JSON list of objects as `Trigger` has them. Exit code 0 means that
the flow has ended, whole.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading

from prefect.flows import load_flow_from_entrypoint
from pydantic import BaseModel, Field

from tasks.engine.run import moments

IN_ACT_S = 0.7  # after the act began: its command is under way, and not yet done


class Trigger(BaseModel):
    """When to run what, once."""

    moment: str = Field(description="before act, in act, after act, after verify")
    doing: str = Field(description="a regular expression for what is done; after verify, for the step's name")
    command: tuple[str, ...] = Field(description="TARGET in it becomes the machine where it is done")
    nth: int = 1


class Listener:
    """Hears all moments of a run."""

    def __init__(self, triggers: list[Trigger]) -> None:
        self._left = {number: trigger.nth for number, trigger in enumerate(triggers)}
        self._triggers = triggers
        self._turn = threading.Lock()

    def __call__(self, moment: str, target: str, doing: str) -> None:
        for number, trigger in enumerate(self._triggers):
            heard = "before act" if trigger.moment == "in act" else trigger.moment
            if moment != heard or not re.search(trigger.doing, doing):
                continue
            with self._turn:
                self._left[number] -= 1
                now = self._left[number] == 0
            if now and trigger.moment == "in act":
                threading.Timer(IN_ACT_S, _run, (trigger, target)).start()
            elif now:
                _run(trigger, target)

    def missed(self) -> list[Trigger]:
        return [self._triggers[number] for number, left in self._left.items() if left > 0]


def _run(trigger: Trigger, target: str) -> None:
    command = [word.replace("TARGET", target) for word in trigger.command]
    subprocess.run(command, check=True, stdout=sys.stderr, stderr=sys.stderr)


def main(name: str, config: str, triggers: str) -> None:
    listener = Listener([Trigger.model_validate(trigger) for trigger in json.loads(triggers)])
    moments.set(listener)
    flow = load_flow_from_entrypoint(f"flows/{name}.py:{name}")
    try:
        flow(config=config, ignore_interruption=True)
    finally:
        for trigger in listener.missed():
            sys.stderr.write(f"never came: {trigger}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
