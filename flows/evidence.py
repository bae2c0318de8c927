"""What the world was like before and after a run, for its report, and what stands behind a gate, for whoever answers."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from configs.errors import EvenkeelError
from configs.platform import Platform
from flows.session import Session
from tasks.database.archive import BACKUP
from tasks.engine.journal import PLANNED, now
from tasks.etcd.members import is_on
from tasks.etcd.quorum import voters_of
from tasks.plan.plan import Plan, plan_of
from tasks.report.evidence import Evidence, age
from tasks.report.history import Expected, reports_in
from tasks.report.interruption import SAMPLES, Samples, interruptions_of

log = logging.getLogger(__name__)

NO_PLAN = "none of this config was made here: a dry run makes one"


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


def evidence_of(session: Session, lasting: Sequence[str], phases: Collection[str] = ()) -> Evidence:
    """What is known now, for whoever answers at a gate. What can't be undone is as the last plan of this config has it for these
    phases, or, without one, `lasting`.
    """
    journal, limits = session.run.journal, session.platform.interruption
    plan = _last_plan(session)
    exact = [f"{a.step} on {a.targets}: {a.way_back}" for phase, a in plan.lasting if phase in phases] if plan else []
    backup, samples = backup_of(session), journal.path.with_name(SAMPLES)
    series = Samples(samples).refresh().values() if samples.exists() else ()
    return Evidence(
        run=journal.report.run,
        plan=f"{plan.hash}, made {age(plan.report.begun, now())} by dry run {plan.report.run}" if plan else NO_PLAN,
        world=world_of(session),
        backup=backup,
        backup_age=f"taken {age(backup['taken'], now())}" if "taken" in backup else "of unknown age",
        lasting=exact or list(lasting),
        findings=journal.report.findings,
        clients=interruptions_of(series, limits, journal.report.entries) if limits else [],
    )


def _last_plan(session: Session) -> Plan | None:
    """Of the newest dry run of this flow and this config that came to its end."""
    journal = session.run.journal
    reports = (report for _, report in reports_in(journal.path.parent.parent))
    earlier = (one for one in reports if one.outcome == PLANNED and one.flow == journal.report.flow)
    known = setting_of(session.platform)["config"]
    newest = next((one for one in earlier if one.setting.get("config") == known), None)
    return plan_of(newest, Expected()) if newest else None
