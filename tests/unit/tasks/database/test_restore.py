"""A restore happens once, from the archive that was meant, and its failure is reported in the words of TiDB's operator."""

import pytest

from blocks.errors import DeadlineExceededError, HostError
from tasks.database.archive import read_archive
from tasks.database.restore import check_archive, ensure_restored
from tasks.engine.finding import FindingsError
from tasks.engine.outcome import Change, Outcome
from tests.fakes.platform import platform
from tests.fakes.world import World
from tests.unit.tasks.cases import BACKUP


@pytest.fixture(autouse=True)
def backed_up(world: World) -> None:
    world.backups.has_archive(BACKUP)


def check(world: World, recorded: dict[str, str] | None = None) -> Outcome:
    return check_archive.fn(world.run(), world.hosts["vm-1"], world.platform, BACKUP, recorded)


def restore(world: World) -> Outcome:
    return ensure_restored.fn(world.run(), world.platform, world.kube, world.record, BACKUP)


def spoil(world: World, how: str) -> None:
    world.hosts["vm-1"].path(f"/mnt/uap-global/backup/{BACKUP}.tar.gz").unlink()
    world.backups.has_archive(BACKUP, spoil=how)
    if how == "missing":
        for host in world.backups.hosts[1:]:
            host.path(f"/mnt/uap-global/backup/{BACKUP}.tar.gz").unlink()


@pytest.mark.parametrize(
    ("how", "why"), [("missing", "there is no /mnt"), ("empty", "is empty"), ("truncated", "is damaged")]
)
def test_a_bad_archive_is_refused_with_the_way_to_others(world: World, how: str, why: str) -> None:
    spoil(world, how)

    with pytest.raises(FindingsError, match=f"(?s)vm-1: .*{why}.*: choose another with backup=NAME: ls /mnt.*archive-unusable"):
        check(world)


def test_an_archive_that_was_changed_since_is_refused(world: World) -> None:
    with pytest.raises(FindingsError, match=f"{BACKUP}.tar.gz has sha256 .*, recorded was 0123456789ab") as refused:
        check(world, {"sha256": "0123456789abcdef"})
    assert refused.value.findings[0].final


def test_the_recorded_archive_is_taken(world: World) -> None:
    sha256 = read_archive(world.hosts["vm-1"], world.platform, f"{BACKUP}.tar.gz").sha256

    assert check(world, {"sha256": sha256}).findings == ()


def test_an_archive_of_nobodys_record_is_taken_and_noted(world: World) -> None:
    (found,) = check(world).findings

    assert str(found) == (
        f"vm-1: {BACKUP}.tar.gz is in no record of ours: its checksum can't be compared [archive-unrecorded]"
    )


def test_without_room_to_unpack_it_is_refused_unless_that_is_accepted(world: World) -> None:
    world.hosts["vm-1"].tell("free", "100")

    with pytest.raises(FindingsError, match=r"vm-1: 0 MB free in /mnt/uap-global/backup, .*\[archive-no-space\]"):
        check(world)

    accepting = [{"id": "archive-no-space", "where": "vm-1", "reason": "the pod unpacks elsewhere"}]
    world.platform = platform(accepted=accepting)
    assert [finding.id for finding in check(world).findings] == ["archive-unrecorded", "archive-no-space"]


def test_all_that_is_wrong_with_an_archive_is_reported_together(world: World) -> None:
    world.hosts["vm-1"].tell("free", "100")

    with pytest.raises(FindingsError) as refused:
        check(world, {"sha256": "0123456789abcdef"})
    assert [finding.id for finding in refused.value.findings] == ["archive-changed", "archive-no-space"]


def test_data_are_the_backups_afterwards(world: World) -> None:
    restore(world)

    assert world.database.data == BACKUP


def test_it_is_done_once_per_rollback(world: World) -> None:
    restore(world)
    world.database.data = "rows written since"

    assert restore(world).change is Change.UNCHANGED
    assert world.database.data == "rows written since"


def test_what_an_earlier_restore_left_is_removed_first(world: World) -> None:
    world.backups.loaded.add(BACKUP)
    world.backups.answer(["/tidb-ctl.sh", "restore", f"--name={BACKUP}"], "")

    assert restore(world).change is Change.CHANGED


@pytest.mark.parametrize("behind_s", [0, 5], ids=["clocks agree", "the server's clock is behind"])
def test_a_restore_that_still_runs_is_awaited_by_the_next_run_and_not_begun_again(world: World, behind_s: float) -> None:
    world.backups.behind_s = behind_s
    world.kube.restoring = lambda _name: ("Running", "")
    world.platform = platform(timeouts={"restore_s": 5})
    with pytest.raises(DeadlineExceededError):
        restore(world)
    world.kube.restoring = lambda _name: ("Complete", "")

    restore(world)
    assert len([mutation for mutation in world.kube.mutations if mutation.startswith("restore")]) == 1


def test_a_failed_restore_is_reported_with_the_operators_message(world: World) -> None:
    world.backups.restore_fails = "region 4711 not found"

    with pytest.raises(HostError, match=r"Failed: region 4711 not found: kubectl describe restores.pingcap.com"):
        restore(world)


def test_a_restore_that_the_operator_calls_invalid_has_failed(world: World) -> None:
    world.kube.restoring = lambda _name: ("Invalid", "spec.br is missing")

    with pytest.raises(HostError, match=r"Invalid: spec.br is missing: kubectl describe restores.pingcap.com"):
        restore(world)


def test_a_failed_restore_is_begun_anew_by_the_next_run(world: World) -> None:
    world.backups.restore_fails = "region 4711 not found"
    with pytest.raises(HostError):
        restore(world)
    world.backups.restore_fails = ""

    assert restore(world).change is Change.CHANGED


def test_a_restore_that_takes_too_long_is_an_error(world: World) -> None:
    world.platform = platform(timeouts={"restore_s": 5})
    world.kube.restoring = lambda _name: ("RetryFailed", "tidbcluster not found")

    with pytest.raises(DeadlineExceededError, match=f"restore iottepa/{BACKUP} ends: not within 5 s: RetryFailed: tidbcluster not found"):
        restore(world)
