"""The client probe: it samples the platform as clients do, from a run's first change on, for the run's report."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from blocks.errors import RefusedError
from blocks.etcd_tls import ClientTls
from blocks.ports import Probe
from blocks.probe_clients import ProbeConfig
from blocks.probe_database import Sql
from configs.errors import EvenkeelError
from flows.report import report_interruptions
from flows.session import Session
from tasks.engine.record import prefix
from tasks.engine.waiting import wait_until
from tasks.etcd.unit import client_url
from tasks.report.interruption import SAMPLES, Budget, Samples

log = logging.getLogger(__name__)

FIRST_ANSWER_S = 15  # a process starts, and every series gets an answer


@contextmanager
def watched(session: Session, *, enforced: bool) -> Iterator[None]:
    """Sample from the first act in this context to its end; put what was seen into the report.

    With `enforced` no act begins after a series got no answer for longer than `interruption` allows, and not even the first
    one when a series gets no answer at all.
    """
    limits, report = session.platform.interruption, session.run.journal.report
    if limits is None or session.run.dry_run:
        yield
        return
    path = session.run.journal.path.with_name(SAMPLES)
    samples, probe = Samples(path), session.probe(_probe_config(session, path))

    def begin() -> None:
        probe.start()
        _await_first_answers(samples, probe, path, enforced=enforced)
        if enforced:
            session.run.guard(Budget(samples, limits, report, probe, time.time))

    session.run.at_first_act(begin)
    try:
        yield
    finally:
        session.run.at_first_act(None)
        if probe.stop():
            report_interruptions(session.run.journal, samples, limits)


def _await_first_answers(samples: Samples, probe: Probe, path: Path, *, enforced: bool) -> None:
    def answered() -> bool:
        probe.check()
        series = samples.refresh().values()
        return bool(series) and all(one.samples > one.failures for one in series)

    try:
        wait_until("every series of the probe is answered", answered, timeout_s=FIRST_ANSWER_S, poll_s=0.2)
    except EvenkeelError as error:
        silent = [f"{one.name}: {one.error}" for one in samples.refresh().values() if one.samples == one.failures]
        message = f"clients: no answer before the first change: {'; '.join(silent) or error.message}"
        if enforced:
            raise RefusedError(
                f"{message}: mend the service, or its address in the config, or run with ignore_interruption=true",
                id="clients-unanswered",
            ) from error
        log.warning("%s: going on because of ignore_interruption=true; samples are in %s", message, path)


def _probe_config(session: Session, samples: Path) -> ProbeConfig:
    platform, database = session.platform, session.platform.database
    sql = None
    if database is not None and database.vip_port is not None:
        password = session.secret(database.password).get_secret_value()
        sql = Sql(str(platform.vip), database.vip_port, database.user, password, database.database)
    return ProbeConfig(
        samples=str(samples),
        http=tuple((str(check.url), str(check.ca or "")) for check in platform.http_checks),
        api=f"https://{platform.vip}:{platform.k3s.api_port}/readyz",
        ca=session.access.credentials.ca,
        etcd=tuple(client_url(platform, machine) for machine in platform.machines),
        key=prefix(platform.name) + "probe",
        etcd_tls=ClientTls.of(platform.etcd.tls),
        sql=sql,
    )
