"""How each flow finds its record: the unfinished one, which is continued, or a new one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from blocks.errors import RefusedError
from blocks.ports import KeyValues
from tasks.engine.journal import now
from tasks.engine.record import BACKUPS, FINISHED, MIGRATIONS, PLAN, ROLLBACKS, STATE, Facts, Record, find_newest

Opening = Callable[..., Record]
"""How a flow finds its record: (keys, platform, identity=, machines=, mirror=, dry_run=)."""


def is_over(migration: tuple[str, Facts] | None, machines: list[str]) -> bool:
    """Whether this is the finished migration of just these machines; with others in the config a new one begins."""
    return migration is not None and migration[1]["state"] == FINISHED and migration[1].get("machines", machines) == machines


def open_migration(
    keys: KeyValues, platform: str, *, identity: Facts, machines: list[str], mirror: Path, dry_run: bool
) -> Record:
    """The record of the unfinished migration, or of the finished one of the same machines, or a new one.

    `identity` (ids of the etcd and Kubernetes clusters) must be what the record was begun with: raises RefusedError
    when it is not, because then some answer came from another cluster, and when a rollback is unfinished.
    """
    _refuse_half_rolled_back(keys, platform)
    found = find_newest(keys, platform)
    begin = {"identity": identity, "machines": machines}
    if found is None:
        return _begun(keys, platform, MIGRATIONS, begin, mirror, dry_run=dry_run)
    name, state = found
    if state["identity"] != identity:
        raise RefusedError(
            f"migration {name} of {platform} was begun on the clusters {state['identity']}, and now {identity} answer: "
            "some address leads to another platform: see sources and targets in the config",
            id="migration-other-cluster",
        )
    if state["state"] == FINISHED and not is_over(found, machines):
        return _begun(keys, platform, MIGRATIONS, begin, mirror, dry_run=dry_run)
    return Record(keys, platform, name, mirror=None if dry_run else mirror)


def open_rollback(
    keys: KeyValues, platform: str, *, identity: Facts, machines: list[str], mirror: Path, dry_run: bool
) -> Record:
    """The record of the unfinished rollback, which is continued, or a new one."""
    found = find_newest(keys, platform, ROLLBACKS)
    if found is not None and found[1]["state"] != FINISHED:
        return Record(keys, platform, found[0], kind=ROLLBACKS)
    return _begun(keys, platform, ROLLBACKS, {"identity": identity}, mirror, dry_run=dry_run)


def open_backup(
    keys: KeyValues, platform: str, *, identity: Facts, machines: list[str], mirror: Path, dry_run: bool
) -> Record:
    """A new record: every backup is one of its own. Raises RefusedError when a rollback is unfinished."""
    _refuse_half_rolled_back(keys, platform)
    return _begun(keys, platform, BACKUPS, {"identity": identity}, mirror, dry_run=dry_run)


def _refuse_half_rolled_back(keys: KeyValues, platform: str) -> None:
    """Writers may be scaled to 0 and data half restored: nobody may take that for the platform as it should be."""
    found = find_newest(keys, platform, ROLLBACKS)
    if found is None or found[1]["state"] == FINISHED:
        return
    if Record(keys, platform, found[0], kind=ROLLBACKS).read(PLAN) is not None:
        raise RefusedError(
            f"rollback {found[0]} of {platform} is unfinished, its writers may have no pods: run the rollback again, "
            "or end it with abandon=true",
            id="rollback-unfinished",
        )


def _begun(keys: KeyValues, platform: str, kind: str, begin: Facts, mirror: Path, *, dry_run: bool) -> Record:
    name = datetime.now(UTC).strftime("%Y%m%d-%H%M%S-%f")
    record = Record(keys, platform, name, kind=kind, mirror=mirror if kind == MIGRATIONS and not dry_run else None)
    if not dry_run:
        record.write(STATE, {"state": "running", "begun": now(), **begin})
    return record
