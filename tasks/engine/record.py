"""The migration record: what the world forgets, kept with the platform, in its own etcd under one prefix.

It survives the loss of the orchestrator's machine and of Prefect's database. No secret is ever in it. There is one per
nightly backup, each as big as the platform has workloads: names are listed without values, values read one at a time.
"""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

from blocks.ports import KeyValues
from tasks.engine.journal import now

Facts = dict[str, Any]
STATE, FINISHED = "state", "finished"
ACTS = "acts"  # intents: what the run was about to do, and what it has done
PLAN = "plan"  # what a rollback was approved for: one that has it may have begun
PRIVATE = "private"  # below it lies what belongs to the platform's own secrets: it never leaves its etcd
MIGRATIONS, ROLLBACKS, BACKUPS = "migrations", "rollbacks", "backups"


def prefix(platform: str) -> str:
    """Below it lies everything of ours in the platform's etcd."""
    return f"/evenkeel/{platform}/"


class Record:
    """The facts, by name, of one migration, rollback or backup."""

    def __init__(
        self, keys: KeyValues, platform: str, name: str, *, kind: str = MIGRATIONS, mirror: Path | None = None
    ) -> None:
        self.name = name
        self._keys = keys
        self._prefix = f"{prefix(platform)}{kind}/{name}/"
        self._mirror = mirror
        self._copying = threading.Lock()

    def read(self, name: str) -> Facts | None:
        text = self._keys.get(self._prefix + name)
        return None if text is None else json.loads(text)

    def write(self, name: str, facts: Facts) -> None:
        self._keys.put(self._prefix + name, json.dumps(facts, sort_keys=True))
        self._copy()

    def below(self, name: str) -> dict[str, Facts]:
        """All facts whose name begins with `name` and a slash, by the rest of their names."""
        start = f"{self._prefix}{name}/"
        return {key.removeprefix(start): json.loads(text) for key, text in self._keys.items(start).items()}

    def intend(self, target: str, doing: str) -> str:
        """Note what is about to be done, before it is; the answer is for `fulfil`."""
        name = f"{ACTS}/{now()}-{target}"
        self._keys.put(self._prefix + name, json.dumps({"doing": doing, "intended": now()}))
        return name

    def fulfil(self, intent: str) -> None:
        """Note that it was done."""
        self._keys.put(self._prefix + intent, json.dumps({**(self.read(intent) or {}), "done": now()}))

    @property
    def finished(self) -> bool:
        state = self.read(STATE)
        return state is not None and state["state"] == FINISHED

    def finish(self) -> None:
        """Mark it finished, and delete its intents: only an unfinished run has open ones. The mirror keeps them."""
        state = self.read(STATE) or {}
        if state.get("state") != FINISHED:
            self.write(STATE, {**state, "state": FINISHED, "ended": now()})
        self._keys.delete(f"{self._prefix}{ACTS}/")

    def forget(self) -> None:
        """Delete all of it. The caller holds the lock, and acts."""
        self._keys.delete(self._prefix)

    def _copy(self) -> None:
        if self._mirror is None:
            return
        with self._copying:
            facts = self._keys.items(self._prefix).items()
            named = {key.removeprefix(self._prefix): text for key, text in facts}
            whole = {name: json.loads(text) for name, text in named.items() if not name.startswith(f"{PRIVATE}/")}
            self._mirror.parent.mkdir(parents=True, exist_ok=True)
            half = self._mirror.with_suffix(".half")
            half.write_text(json.dumps(whole, indent=1, sort_keys=True), encoding="utf-8")
            half.replace(self._mirror)


def names_of(keys: KeyValues, platform: str, kind: str, holding: str = "") -> list[str]:
    """The names of the records of this kind, newest first; with `holding` only of those that have that fact."""
    start = f"{prefix(platform)}{kind}/"
    split = (key.removeprefix(start).partition("/") for key in keys.names(start))
    return sorted({name for name, _, fact in split if holding in ("", fact)}, reverse=True)


def find_newest(keys: KeyValues, platform: str, kind: str = MIGRATIONS) -> tuple[str, Facts] | None:
    """The newest record of this kind and its state, if there ever was one."""
    for name in names_of(keys, platform, kind, STATE):
        state = Record(keys, platform, name, kind=kind).read(STATE)
        if state is not None:
            return name, state
    return None
