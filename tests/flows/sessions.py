"""Sessions on a fake world."""

from __future__ import annotations

from collections.abc import Callable

from prefect import flow

from flows.opening import Opening
from flows.session import Session, current, current_session
from tasks.engine.journal import Report
from tasks.k3s.identity import find_cluster_access
from tests.fakes import machines
from tests.fakes.world import World


def session_on(world: World, *, dry: bool = False, opening: Opening | None = None) -> Session:
    servers = (*world.platform.sources, *world.platform.servers)
    access = find_cluster_access(servers, world.hosts, machines.sha256(machines.LIVE_CA))
    run, record = world.run(dry=dry), world.read_only_record() if dry else world.record
    if opening is not None:
        record = opening(world.keys, world.platform.name, identity={}, machines=[], mirror=world.folder / "mirror", dry_run=dry)
    database = world.platform.database
    assert database is not None
    assert database.root_password is not None
    secrets = {
        world.platform.keepalived.auth_pass: world.auth_pass,
        database.password: world.database_password,
        database.root_password: world.root_password,
    }
    return Session(world.platform, run, world.hosts, world.etcd, world.keys, world.kube, access, record, secrets, world.probe)


def perform(
    act: Callable[[Session], object],
    world: World,
    *,
    dry: bool = False,
    opening: Opening | None = None,
    reports: list[Report] | None = None,
) -> Report:
    """Let `act` run within a flow; its report is returned, and kept in `reports` in case it raises.

    Its record is the migration's, or as `opening` finds it.
    """
    session = session_on(world, dry=dry, opening=opening)
    if reports is not None:
        reports.append(session.run.journal.report)
    with current(session):
        _within_flow(act)
    return session.run.journal.report


@flow(name="test", validate_parameters=False)
def _within_flow(act: Callable[[Session], object]) -> None:
    act(current_session())
