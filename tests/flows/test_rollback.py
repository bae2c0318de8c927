"""The way back on fakes: planned, killed in the middle, continued; refused, failed and given up without harm."""

from __future__ import annotations

from typing import Any

import pytest

from blocks.errors import DeadlineExceededError, HostError, OutcomeUnknownError, RefusedError
from blocks.ports import ExecResult
from configs.errors import EvenkeelError
from flows.backup import take_backup
from flows.drain import drain_sources
from flows.opening import open_backup, open_rollback
from flows.rollback import give_up, roll_back
from flows.session import Session
from tasks.engine.finding import FindingsError
from tasks.engine.journal import Report
from tests.fakes.faults import Killed
from tests.fakes.platform import platform
from tests.fakes.workload import FakeWorkload
from tests.fakes.world import World
from tests.flows.sessions import perform

ASKED: dict[str, Any] = {"what": "both", "backup": None, "images": "new", "image_map": None}
WEB = "Deployment shop/web"


@pytest.fixture
def spoiled(world: World) -> World:
    """Backed up, then rows were written and a bad release was rolled out."""
    perform(take_backup, world)
    world.database.data = "rows written since"
    set_image(world, "app/web:bad")
    world.forget()
    return world


def set_image(world: World, image: str) -> None:
    world.kube.set_images(web(world), {"main": image})


def web(world: World) -> Any:
    return next(workload for workload in world.kube.workloads() if str(workload) == WEB)


def back(world: World, *, dry: bool = False, reports: list[Report] | None = None, **asked: Any) -> Report:
    def act(session: Session) -> None:
        roll_back(session, {**ASKED, **asked}, approved=True)

    return perform(act, world, dry=dry, opening=open_rollback, reports=reports)


def kill_amid_the_drains(world: World) -> None:
    """The client pod of the database is evicted; what would have made it anew is dead."""
    world.has_nodes("phys-1", "phys-2", "phys-3")
    world.kube.fail("create_pod", Killed())
    with pytest.raises(Killed):
        perform(lambda _: drain_sources(["vm-1", "vm-2"]), world)
    world.forget()


def is_there(world: World, pod: str) -> bool:
    return any(pod in world.kube.on(node) for node in world.kube.node_map)


def assert_back(world: World) -> None:
    assert world.database.data.startswith("tidb-backup-20260102")
    assert world.database.passwords == {"root": "r00ts3cret", "app": "dbs3cret"}
    assert (web(world).desired, web(world).images) == (2, {"main": "app/web:2.0"})


def test_data_users_images_and_writers_come_back(spoiled: World) -> None:
    back(spoiled)

    assert_back(spoiled)


def test_the_client_pod_that_a_killed_drain_has_evicted_is_made_anew_before_it_is_needed(spoiled: World) -> None:
    kill_amid_the_drains(spoiled)
    assert not is_there(spoiled, "iottepa/debug-mysql-client")

    report = back(spoiled, what="data")

    assert spoiled.database.data.startswith("tidb-backup-20260102")
    assert spoiled.database.passwords == {"root": "r00ts3cret", "app": "dbs3cret"}
    assert next(entry.step for entry in report.entries if entry.outcome == "changed") == "restore bare pods"


def test_a_plan_amid_the_drains_asks_nothing_of_a_client_pod_that_is_not_there(spoiled: World) -> None:
    kill_amid_the_drains(spoiled)

    report = back(spoiled, dry=True, what="data")

    planned = [entry for entry in report.entries if entry.outcome == "planned"]
    assert (planned[0].step, planned[0].why) == ("restore bare pods", "made anew: iottepa/debug-mysql-client")
    assert "check database" not in {entry.step for entry in report.entries}
    assert spoiled.mutations == []


def test_steps_are_in_the_order_in_which_nothing_is_written_beside_a_restore(spoiled: World) -> None:
    report = back(spoiled)

    done = [entry.step for entry in report.entries if entry.outcome == "changed"]
    assert done == ["quiesce writer", "restore data", "set users and time zone", "set images", "restore writer replicas"]


def test_a_plan_changes_nothing(spoiled: World) -> None:
    report = back(spoiled, dry=True)

    assert spoiled.mutations == []
    assert "planned" in {entry.outcome for entry in report.entries}


def test_all_that_keeps_a_rollback_from_beginning_is_reported_together(spoiled: World) -> None:
    spoiled.platform = platform(rollback={"writers": [{"namespace": "shop", "name": "gone"}]})
    spoiled.kube.answers["ls-tar"] = ExecResult(2, "", "lake is not mounted\n")
    spoiled.hosts["vm-1"].unit("docker", "inactive", "disabled")

    with pytest.raises(EvenkeelError) as error:
        back(spoiled)

    said = str(error.value)
    assert [part for part in ("there is no Deployment shop/gone", "lake is not mounted", "docker does not run") if part not in said] == []
    assert spoiled.kube.mutations == []


@pytest.mark.parametrize("mutations", [3, 8, 12])
def test_a_killed_rollback_is_finished_by_the_same_command(spoiled: World, mutations: int) -> None:
    spoiled.life.mutations_left = mutations
    with pytest.raises(Killed):
        back(spoiled)
    spoiled.life.mutations_left = -1

    back(spoiled)

    assert_back(spoiled)
    assert len([name for name in spoiled.kube.mutations if name.startswith("restore ")]) == 1


def test_an_unfinished_rollback_keeps_others_away_until_it_is_given_up(spoiled: World) -> None:
    spoiled.kube.fail("set_images", HostError("the API says no"), times=99)
    with pytest.raises(HostError):
        back(spoiled)
    with pytest.raises(RefusedError, match=r"it was begun with .*what='both': .* end it with abandon=true \[rollback-other-parameters\]$"):
        back(spoiled, what="images")
    with pytest.raises(RefusedError, match="is unfinished, its writers may have no pods"):
        perform(take_backup, spoiled, opening=open_backup)

    perform(give_up, spoiled, opening=open_rollback)

    assert web(spoiled).desired == 2
    perform(take_backup, spoiled, opening=open_backup)


def test_without_an_unfinished_rollback_there_is_nothing_to_give_up(spoiled: World) -> None:
    with pytest.raises(RefusedError, match=r"^demo: no rollback is unfinished, .*: run without abandon=true \[rollback-none-unfinished\]$"):
        perform(give_up, spoiled, opening=open_rollback)
    assert web(spoiled).desired == 2


def test_a_failed_restore_is_reported_and_the_writers_run_as_before(spoiled: World) -> None:
    spoiled.backups.restore_fails = "region 4711 not found"

    with pytest.raises(HostError, match="region 4711 not found"):
        back(spoiled)

    assert (spoiled.database.data, web(spoiled).desired) == ("rows written since", 2)
    assert web(spoiled).images == {"main": "app/web:bad"}


def test_nothing_writes_beside_a_restore_that_takes_too_long(spoiled: World) -> None:
    ends, spoiled.kube.restoring = spoiled.kube.restoring, lambda _name: ("Running", "")
    spoiled.platform = platform(http_checks=[], timeouts={"restore_s": 5})
    with pytest.raises(DeadlineExceededError, match=r"its writers are scaled to 0: run the same command again: .*not within 5 s"):
        back(spoiled)
    assert web(spoiled).desired == 0
    spoiled.kube.restoring = ends

    back(spoiled)

    assert_back(spoiled)


def test_writers_wait_while_nobody_knows_whether_a_restore_was_begun(spoiled: World) -> None:
    spoiled.platform = platform(http_checks=[], timeouts={"restore_s": 20})
    spoiled.backups.goes_on.add("restore")
    with pytest.raises(OutcomeUnknownError, match=r"its writers are scaled to 0: run the same command again: .*may still be running there"):
        back(spoiled)
    assert web(spoiled).desired == 0
    spoiled.backups.ends()

    back(spoiled)

    assert_back(spoiled)


def test_what_fails_after_the_restore_says_that_writers_wait(spoiled: World) -> None:
    spoiled.kube.fail("set_images", HostError("the API says no"))

    with pytest.raises(HostError, match="scaled to 0: run the same command again, or end it with abandon=true: the API says no"):
        back(spoiled)


def test_a_rollback_is_not_over_while_one_writer_of_two_is_at_0(spoiled: World) -> None:
    writers = [{"namespace": "shop", "name": "web"}, {"namespace": "shop", "name": "other"}]
    spoiled.kube.has(FakeWorkload("Deployment", "shop", "other", 3), on="vm-2")
    spoiled.platform = platform(http_checks=[], rollback={"writers": writers}, timeouts={"rollout_s": 5})
    spoiled.kube.fail("set_images", HostError("the API says no"))
    with pytest.raises(HostError):
        back(spoiled)
    spoiled.kube.polls = 10_000
    spoiled.kube.fail("scale Deployment shop/other", HostError("no"))

    for _ in range(2):  # web is not Ready in time, and other still has no pods: the second try finds that unfinished
        with pytest.raises(DeadlineExceededError, match="shop/web has 2 Ready replicas"):
            perform(give_up, spoiled, opening=open_rollback)
    assert sorted(w.desired for w in spoiled.kube.workloads() if w.name in ("web", "other")) == [2, 3]


@pytest.mark.parametrize("spoil", ["empty", "truncated"])
def test_a_bad_archive_is_refused_before_anything_is_touched(spoiled: World, spoil: str) -> None:
    spoiled.backups.has_archive("tidb-backup-20260102-0", spoil=spoil)

    with pytest.raises(FindingsError, match="choose another with backup=NAME") as refused:
        back(spoiled)
    assert [finding.id for finding in refused.value.findings if finding.refuses] == ["archive-unusable"]
    assert spoiled.kube.mutations == []


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"image_map": {"Deployment shop/webb": {"main": "x:1"}}}, r"there is no Deployment shop/webb: .*\[image-map-workload-unknown\]"),
        ({"image_map": {WEB: {"mian": "x:1"}}}, r"Deployment shop/web has no container mian: .*\[image-map-container-unknown\]"),
        ({"image_map": {WEB: {"main": "x:1"}}}, r"vm-2: docker lacks x:1: .*\[image-missing\]"),
        ({"backup": "tidb-backup-20200101"}, r"there is no /mnt/uap-global/backup/tidb-backup-20200101.tar.gz: .*\[archive-unusable\]"),
    ],
)
def test_a_request_that_cannot_be_met_is_refused(spoiled: World, asked: dict[str, Any], why: str) -> None:
    with pytest.raises((RefusedError, FindingsError), match=why):
        back(spoiled, **asked)
    assert spoiled.kube.mutations == []


@pytest.mark.parametrize(
    ("what", "why"),
    [
        ("data", r"^demo: .* has recorded a backup: give backup=NAME; .* lists them \[backup-not-recorded\]$"),
        ("images", r"^demo: .* has recorded any images: give image_map \[images-never-recorded\]$"),
    ],
)
def test_without_a_record_of_it_there_is_nothing_to_go_back_to(world: World, what: str, why: str) -> None:
    with pytest.raises(RefusedError, match=why):
        back(world, what=what)
    assert world.kube.mutations == []


def test_only_images_are_set_when_only_images_are_asked_for(spoiled: World) -> None:
    back(spoiled, what="images")

    assert (spoiled.database.data, web(spoiled).images) == ("rows written since", {"main": "app/web:2.0"})


def test_only_data_is_restored_when_only_data_is_asked_for(spoiled: World) -> None:
    back(spoiled, what="data")

    assert spoiled.database.data.startswith("tidb-backup")
    assert (web(spoiled).desired, web(spoiled).images) == (2, {"main": "app/web:bad"})


def test_a_second_rollback_is_a_new_one(spoiled: World) -> None:
    back(spoiled)
    spoiled.database.data = "rows written since"

    back(spoiled)

    assert_back(spoiled)


def test_no_secret_is_in_any_report(spoiled: World) -> None:
    back(spoiled)

    texts = [path.read_text() for path in (spoiled.folder / "reports").rglob("*.json")]
    assert not any("s3cret" in text for text in texts)


@pytest.mark.parametrize(("unlocked", "said"), [(False, "the API says no"), (True, "the lock is lost")])
def test_a_failed_restore_is_not_over_while_writers_are_at_0(spoiled: World, unlocked: bool, said: str) -> None:
    def fails(_name: str) -> tuple[str, str]:
        spoiled.lock.lost = unlocked
        spoiled.kube.fail("scale", HostError(said), times=0 if unlocked else 1)
        return "Failed", "region 4711 not found"

    spoiled.kube.restoring = fails
    with pytest.raises(EvenkeelError, match=said):
        back(spoiled)
    spoiled.lock.lost = False

    perform(give_up, spoiled, opening=open_rollback)

    assert web(spoiled).desired == 2


def test_a_rollback_whose_writers_are_not_ready_in_time_can_be_given_up(spoiled: World) -> None:
    spoiled.kube.fail("set_images", HostError("the API says no"))
    with pytest.raises(HostError):
        back(spoiled)
    spoiled.platform = platform(http_checks=[], timeouts={"rollout_s": 5})
    spoiled.kube.polls = 10_000

    with pytest.raises(DeadlineExceededError, match="Deployment shop/web has 2 Ready replicas: not within 5 s"):
        perform(give_up, spoiled, opening=open_rollback)

    assert web(spoiled).desired == 2
    with pytest.raises(RefusedError, match="no rollback is unfinished"):
        perform(give_up, spoiled, opening=open_rollback)
