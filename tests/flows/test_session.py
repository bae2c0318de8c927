"""How a flow waits for checks and steps: what they find is reported together, and one error has the texts of all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from prefect.runtime import task_run
from prefect.utilities.annotations import BaseAnnotation
from pydantic import BaseModel

from blocks.errors import EtcdUnavailableError, HostError
from configs.errors import EvenkeelError
from flows.session import Session
from tasks.engine.check import check
from tasks.engine.finding import Checked, Finding, Findings, FindingsError
from tasks.engine.outcome import Outcome, changed
from tasks.engine.run import Run
from tasks.engine.step import step
from tests.fakes.host import FakeHost
from tests.fakes.platform import platform
from tests.fakes.world import World
from tests.flows.sessions import perform

DISK, CLOCK, KERNEL = (
    "vm-1: the disk is full: make room [disk-full]",
    "vm-2: its clock is off: chronyc makestep [clock-off]",
    "vm-1: its kernel is old [kernel-old]",
)


@check("check disk")
def check_disk(host: FakeHost) -> Checked:
    """The machine has a free disk and a new kernel."""
    found = Findings(host.name)
    found.note("kernel-old", "its kernel is old")
    found.refuse("disk-full", "the disk is full", "make room")
    return found.checked("fit")


@check("check clock")
def check_clock(host: FakeHost) -> Checked:
    """The machine's clock is right."""
    found = Findings(host.name)
    found.refuse("clock-off", "its clock is off", "chronyc makestep")
    return found.checked("right")


@check("check settled")
def check_settled(host: FakeHost) -> Checked:
    """The machine's etcd has settled."""
    raise EtcdUnavailableError(f"{host.name}: electing a leader")


settles_never = check_settled.with_options(retries=0)


@step("break")
def break_down(_run: Run, host: FakeHost) -> Outcome:
    """Make the machine break down."""
    raise HostError(f"{host.name}: broken")


@step("follow")
def follow(_run: Run, _host: FakeHost) -> Outcome:
    """Make the machine follow."""
    return changed("followed")


def both(session: Session) -> None:
    """A check of each source, side by side."""
    hosts = session.hosts
    session.all_checked([session.submit(check_clock, hosts["vm-2"]), session.submit(check_disk, hosts["vm-1"])])


def with_unsettled(session: Session) -> None:
    """The first check gets no answer, the second one does."""
    hosts = session.hosts
    session.all_checked([session.submit(settles_never, hosts["vm-1"]), session.submit(check_disk, hosts["vm-1"])])


def raised(act: Callable[[Session], object], world: World) -> EvenkeelError:
    with pytest.raises(EvenkeelError) as error:
        perform(act, world)
    return error.value


def block(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The lines of the findings, which must stand together in the log."""
    marks = [index for index, line in enumerate(caplog.messages) if line in (DISK, CLOCK, KERNEL) or "accepted" in line]
    assert marks == list(range(marks[0], marks[0] + len(marks)))
    return [caplog.messages[index] for index in marks]


def test_all_findings_of_all_checks_are_in_one_block_of_the_log_refusals_first(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    raised(both, world)

    assert block(caplog) == [DISK, CLOCK, KERNEL]


def test_one_error_has_the_refusals_of_all_checks(world: World) -> None:
    error = raised(both, world)

    assert isinstance(error, FindingsError)
    assert str(error).splitlines() == [DISK, CLOCK]
    assert [finding.id for finding in error.findings] == ["disk-full", "clock-off", "kernel-old"]


def test_an_accepted_finding_is_reported_and_stops_nothing(world: World, caplog: pytest.LogCaptureFixture) -> None:
    known = [
        {"id": "disk-full", "where": "vm-1", "reason": "it is grown on Monday"},
        {"id": "clock-off", "where": "vm-2", "reason": "its NTP server is back on Monday"},
    ]
    world.platform = platform(http_checks=[], accepted=known)

    report = perform(both, world)

    accepted = [f"{DISK} (accepted: it is grown on Monday)", f"{CLOCK} (accepted: its NTP server is back on Monday)"]
    assert block(caplog) == [KERNEL, *accepted]
    assert [str(finding) for finding in report.findings] == [KERNEL, *accepted]


def test_a_check_without_an_answer_hides_no_finding_of_the_others(world: World, caplog: pytest.LogCaptureFixture) -> None:
    error = raised(with_unsettled, world)

    assert block(caplog) == [DISK, KERNEL]
    assert isinstance(error, FindingsError)
    assert str(error).splitlines() == [DISK, "vm-1: electing a leader [etcd-unavailable]"]


def test_checks_that_refuse_nothing_stop_nothing(world: World) -> None:
    perform(lambda session: session.all_checked([]), world)


def test_a_step_that_waited_for_a_failed_one_adds_nothing_to_its_error(world: World) -> None:
    def act(session: Session) -> None:
        failed = session.submit(break_down, session.hosts["vm-1"])
        session.all_done([session.submit(follow, session.hosts["vm-1"], after=[failed]), failed])

    assert str(raised(act, world)) == "vm-1: broken [host-error]"


def test_who_waits_for_a_step_that_never_began_gets_the_cause(world: World) -> None:
    def act(session: Session) -> None:
        failed = session.submit(break_down, session.hosts["vm-1"])
        second = session.submit(follow, session.hosts["vm-1"], after=[failed])
        session.all_done([session.submit(follow, session.hosts["vm-2"], after=[second])])

    assert str(raised(act, world)) == "vm-1: broken [host-error]"


def test_errors_of_steps_side_by_side_are_one_error_each_text_once(world: World) -> None:
    def act(session: Session) -> None:
        session.all_done([session.submit(break_down, session.hosts[name]) for name in ("vm-1", "vm-2", "vm-1")])

    error = raised(act, world)

    assert type(error) is HostError
    assert str(error).splitlines() == ["vm-1: broken [host-error]", "vm-2: broken [host-error]"]


def test_a_finding_of_two_checks_is_reported_once(world: World) -> None:
    def act(session: Session) -> None:
        session.all_checked([session.submit(check_disk, session.hosts["vm-1"]) for _ in range(2)])

    error = raised(act, world)

    assert isinstance(error, FindingsError)
    assert [finding.id for finding in error.findings] == ["disk-full", "kernel-old"]
    assert all(isinstance(finding, Finding) for finding in error.findings)


class Config(BaseModel):
    """Counts how often somebody walks through it."""

    walked: int = 0

    def __iter__(self) -> Any:
        self.walked += 1
        return super().__iter__()


def test_prefect_walks_through_no_argument_of_what_is_submitted(world: World) -> None:
    config, got, called = Config(), list[object](), list[str]()

    @step("look at")
    def look_at(_run: Run, target: object, *more: object, named: object) -> Outcome:
        """Make a look."""
        got.extend((target, *more, named))
        called.append(task_run.name)
        return changed("looked")

    def act(session: Session) -> None:
        session.all_done([session.submit(look_at, session.hosts["vm-1"], config, [config], named=config)])
        session.all_done([session.submit(look_at, session.platform, named=None)])

    perform(act, world)

    assert config.walked == 0
    assert not any(isinstance(one, BaseAnnotation) for one in got)
    assert got[:4] == [world.hosts["vm-1"], config, [config], config]
    assert called == ["look at: vm-1", "look at: demo"]
