"""Our own two ways to ask a fleet: bare, and as steps of a flow.

python -m tests.bench.ours raw|flow FLEET.json
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from configs.platform import Platform
from tests.fakes.platform import platform

SOURCES = 3


def platform_of(addresses: Sequence[str]) -> Platform:
    """A config with these machines, most of them agents."""
    named = [{"name": f"m-{number}", "address": address} for number, address in enumerate(addresses)]
    targets = [{**one, "role": "agent", "etcd": False} for one in named[SOURCES:]]
    for target in targets[:SOURCES]:
        target |= {"role": "server", "etcd": True}
    return platform(sources=named[:SOURCES], targets=targets, vip="127.78.0.1", http_checks=[])


def main(way: str, path: Path) -> None:
    """Ask every machine of the fleet for its facts; raises unless each has answered."""
    from blocks.ssh_fleet import SshFleet
    from configs.ssh import Access

    fleet: dict[str, Any] = json.loads(path.read_text())
    asked = platform_of(fleet["addresses"])
    access = Access.model_validate({"port": fleet["port"], "key": fleet["key"], "agent": False, "user": "root"})
    block = SshFleet(access={machine.name: access for machine in asked.machines}, known_hosts=Path(fleet["known_hosts"]))
    with block.hosts(asked.machines, {}) as hosts:
        answered = {"raw": _raw, "flow": _flow}[way](asked, hosts, path.parent)
    if answered != len(fleet["addresses"]):
        raise SystemExit(f"{answered} of {len(fleet['addresses'])} machines have answered")


def _raw(asked: Platform, hosts: dict[str, Any], _folder: Path) -> int:
    from tasks.machine.facts import read_host_facts
    from tasks.shell.fleet import side_by_side

    return len({facts.clock for facts in side_by_side(lambda host: read_host_facts(host, asked), hosts.values())})


def _flow(asked: Platform, hosts: dict[str, Any], folder: Path) -> int:
    from prefect import flow

    from flows.session import Session, current, current_session
    from tasks.engine.journal import Journal, Report
    from tasks.engine.outcome import Outcome, unchanged
    from tasks.engine.run import Run
    from tasks.engine.step import step
    from tasks.machine.facts import read_host_facts

    @step("read facts")
    def read_facts(_run: Run, host: Any, machines: Platform) -> Outcome:
        """Make the facts known."""
        return unchanged(str(read_host_facts(host, machines).clock))

    @flow(name="fan-out", validate_parameters=False)
    def fan_out() -> None:
        session = current_session()
        session.all_done([session.submit(read_facts, host, session.platform) for host in session.hosts.values()])

    journal = Journal(Report(asked.name, "bench", "fan-out", dry_run=True), folder / "report" / "report.json")
    nothing: Any = None
    session = Session(asked, Run("bench", journal, lock=None), hosts, nothing, nothing, nothing, nothing, nothing, {})
    with current(session):
        fan_out()
    journal.finish("passed")
    return len({entry.why for entry in journal.report.entries})


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
