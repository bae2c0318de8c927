"""What the world was like before and after a run, for its report, and what stands behind a gate, for whoever answers."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from configs.errors import EvenkeelError
from configs.platform import Platform
from flows.session import Session
from tasks.database.archive import BACKUP
from tasks.etcd.members import is_on
from tasks.etcd.quorum import voters_of

log = logging.getLogger(__name__)


def setting_of(platform: Platform) -> dict[str, Any]:
    """What reports name of the config, and its identity: the same as long as it asks for the same."""
    return {
        "config": hashlib.sha256(platform.model_dump_json(exclude_defaults=True).encode()).hexdigest()[:16],
        "sources": [{"name": one.name, "address": str(one.address)} for one in platform.sources],
        "targets": [{"name": one.name, "address": str(one.address), "role": one.role.value} for one in platform.targets],
        "vip": str(platform.vip),
        "gates": [gate.value for gate in platform.gates],
    }


@contextmanager
def witnessed(session: Session) -> Iterator[None]:
    """Put the world at both ends of the context into the report. What can't be asked stays out of it, and stops nothing.

    A run that is stopped from outside asks nothing more.
    """
    report = session.run.journal.report
    report.before = world_of(session)
    try:
        yield
    except Exception:
        _conclude(session)
        raise
    else:
        _conclude(session)


def _conclude(session: Session) -> None:
    session.settle()  # what still runs beside would change what is asked
    report = session.run.journal.report
    if report.before and not report.dry_run:
        report.after, report.backup = world_of(session), backup_of(session)


def world_of(session: Session) -> dict[str, Any]:
    """Who votes in etcd, which nodes there are, and the images of all workloads."""
    try:
        workloads = session.kube.workloads()
        nodes = sorted(node.name for node in session.kube.nodes())
        return {"voters": voter_names(session), "nodes": nodes, "images": {str(one): dict(one.images) for one in workloads}}
    except EvenkeelError as error:
        log.info("the report does not say what the platform is like now: %s", error.message)
        return {}


def voter_names(session: Session) -> list[str]:
    """etcd's voters, by the machines of the config on which they are; others by their own names."""
    machines = session.platform.machines
    voters = voters_of(session.etcd.members())
    return [next((machine.name for machine in machines if is_on(machine, voter)), voter.name) for voter in voters]


def backup_of(session: Session) -> dict[str, Any]:
    """The backup that the run's record has; empty without one."""
    try:
        return session.record.read(BACKUP) or {}
    except EvenkeelError as error:
        log.info("the report does not say which backup there is: %s", error.message)
        return {}
