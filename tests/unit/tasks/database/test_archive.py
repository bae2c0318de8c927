"""A backup counts when its archive was read whole."""

from datetime import UTC, datetime
from typing import Any

import pytest

from blocks.errors import HostError, KubeUnavailableError, OutcomeUnknownError, RefusedError, VerificationError
from blocks.ports import ExecResult
from configs.errors import EvenkeelError
from tasks.database.archive import BACKUP, BEGUN, ensure_backup, expire_backups
from tasks.engine.outcome import Change, Outcome
from tests.fakes.platform import CONFIG, platform
from tests.fakes.world import World


def back_up(world: World) -> Outcome:
    return ensure_backup.fn(world.run(), world.platform, world.hosts["vm-1"], world.kube, world.record)


def expire(world: World, **how: Any) -> Outcome:
    return expire_backups.fn(world.run(), world.hosts["vm-1"], world.platform, world.kube, **how)


def test_the_record_keeps_the_archives_name_size_and_checksum(world: World) -> None:
    back_up(world)

    kept = world.record.read(BACKUP)
    archive = world.hosts["vm-1"].path("/mnt/uap-global/backup/tidb-backup-20260102-0.tar.gz").read_bytes()
    assert kept is not None
    assert (kept["name"], kept["size"]) == ("tidb-backup-20260102-0.tar.gz", len(archive))
    assert len(kept["sha256"]) == 64


def test_a_record_has_one_backup(world: World) -> None:
    back_up(world)

    assert back_up(world).change is Change.UNCHANGED
    assert world.backups.archives() == ["tidb-backup-20260102-0.tar.gz"]


@pytest.mark.parametrize(
    ("spoil", "why"), [("missing", "there is no /mnt"), ("empty", "is empty"), ("truncated", "is damaged")]
)
def test_a_backup_that_only_seems_to_succeed_fails_loudly(world: World, spoil: str, why: str) -> None:
    world.backups.spoil = spoil

    with pytest.raises(VerificationError, match=f"vm-1: backup-and-save reported success, but .*{why}"):
        back_up(world)
    assert world.record.read(BACKUP) is None


def test_an_answer_that_names_an_old_archive_is_no_backup(world: World) -> None:
    world.backups.has_archive("tidb-backup-20260101")
    world.backups.says["backup-and-save"] = ExecResult(0, "saved tidb-backup-20260101.tar.gz\n", "")

    with pytest.raises(VerificationError, match=r"named no new archive, and none in .* has changed: .*kubectl logs -n uap"):
        back_up(world)


def test_without_a_pod_that_does_it_nothing_is_changed(world: World) -> None:
    world.kube.workload_list.clear()
    for pod in world.kube.pods():
        world.kube.evict(pod)
    world.kube.pods(), world.kube.pods()
    world.forget()

    with pytest.raises(RefusedError, match="no Ready pod app=backup-ctl in namespace uap: kubectl get pods -n uap"):
        back_up(world)
    assert world.mutations == []


def restart_pods(world: World) -> None:
    for pod in world.kube.pods_labelled("uap", "app=backup-ctl"):
        world.kube.evict(pod)
    while any(pod.ready for pod in world.kube.pods_labelled("uap", "app=backup-ctl")):
        pass
    world.forget()


def test_a_pod_that_only_starts_is_waited_for(world: World) -> None:
    restart_pods(world)

    assert back_up(world).change is Change.CHANGED


def test_a_pod_that_does_not_start_in_time_is_reported(world: World) -> None:
    world.kube.never_ready = {"uap/backup-ctl"}
    restart_pods(world)

    with pytest.raises(RefusedError, match="no Ready pod app=backup-ctl in namespace uap: kubectl get pods -n uap"):
        back_up(world)
    assert world.mutations == []


def test_without_the_file_lake_nothing_is_changed(world: World) -> None:
    world.hosts["vm-1"].run("rm -r /mnt/uap-global", what="given")
    world.backups.hosts = world.backups.hosts[1:]
    world.forget()

    with pytest.raises(RefusedError, match="vm-1: /mnt/uap-global/backup is not the folder that backup-ctl writes to: mount the file lake"):
        back_up(world)
    assert world.mutations == []


def test_an_empty_mount_point_is_not_taken_for_the_file_lake(world: World) -> None:
    world.backups.has_archive("tidb-backup-20260101")
    world.hosts["vm-1"].run("rm -r /mnt/uap-global/*", what="given")
    world.backups.hosts = world.backups.hosts[1:]
    world.forget()

    with pytest.raises(RefusedError, match="vm-1: /mnt/uap-global/backup is not the folder that backup-ctl writes to"):
        back_up(world)
    assert world.mutations == []


def test_a_backup_that_fails_is_no_backup(world: World) -> None:
    world.backups.says["backup-and-save"] = ExecResult(3, "", "no space left\n")

    with pytest.raises(HostError, match="backup-and-save: exit code 3: no space left"):
        back_up(world)
    assert world.record.read(BACKUP) is None


def test_a_backup_whose_answer_got_lost_is_taken_again(world: World) -> None:
    world.kube.fail("exec", KubeUnavailableError("no API server answered"), times=1, after=True)
    with pytest.raises(EvenkeelError):
        back_up(world)

    assert back_up(world).change is Change.CHANGED


def test_expired_archives_are_listed_and_kept(world: World) -> None:
    world.backups.has_archive("tidb-backup-20200101")
    world.backups.has_archive("tidb-backup-20200102")

    outcome = expire(world)

    assert outcome.change is Change.UNCHANGED
    assert outcome.why == "2 archives older than 7 days"
    remedy = "rm it in /mnt/uap-global/backup, or set backup.delete_expired [backup-expired]"
    assert [str(finding) for finding in outcome.findings] == [
        f"vm-1: tidb-backup-2020010{day}.tar.gz is older than 7 days: {remedy}" for day in (1, 2)
    ]
    assert world.mutations == []


def test_an_archive_that_is_still_listed_after_its_deletion_is_an_error(world: World) -> None:
    world.platform = platform(backup={**CONFIG["backup"], "delete_expired": True})
    world.kube.answers["ls-tar"] = ExecResult(0, "tidb-backup-20200101.tar.gz\n", "")

    with pytest.raises(VerificationError, match=r"still lists tidb-backup-20200101.tar.gz.*\[backup-not-deleted\]"):
        expire(world)


def test_a_backup_that_a_killed_run_has_begun_is_waited_for_and_taken(world: World) -> None:
    world.backups.goes_on.add("backup-and-save")
    world.platform = platform(timeouts={"backup_s": 20})
    with pytest.raises(OutcomeUnknownError, match=r"no second one is begun beside it: .*\[backup-ctl-not-ended\]"):
        back_up(world)
    world.time.later(10, lambda: world.backups.ends("tidb-backup-20260103"))

    assert back_up(world).change is Change.CHANGED
    assert (world.record.read(BACKUP) or {})["name"] == "tidb-backup-20260103.tar.gz"
    assert len(world.backups.running) == 1


def test_a_broken_archive_of_a_killed_run_is_not_taken(world: World) -> None:
    world.record.write(BEGUN, {"before": {}})
    world.backups.has_archive("tidb-backup-20260103", spoil="truncated")

    back_up(world)

    assert (world.record.read(BACKUP) or {})["name"] == "tidb-backup-20260102-1.tar.gz"


@pytest.mark.parametrize("said", ["saved tidb-backup-20260102.tar.gz", "done"], ids=["named", "not named"])
def test_an_archive_whose_name_is_used_again_is_new_all_the_same(world: World, said: str) -> None:
    world.backups.has_archive("tidb-backup-20260102", spoil="empty")
    world.backups.reuses, world.backups.answers_with = "tidb-backup-20260102", said

    (found,) = back_up(world).findings

    assert (world.record.read(BACKUP) or {})["name"] == "tidb-backup-20260102.tar.gz"
    assert str(found).endswith("was there already, backup-ctl has replaced it: what it held before is gone [backup-replaced]")


def test_archives_may_have_other_names(world: World) -> None:
    world.platform = platform(backup={**CONFIG["backup"], "archives": r"full_\d+\.tar\.gz"})
    world.backups.reuses, world.backups.answers_with = "full_20260102", "written to full_20260102.tar.gz"

    back_up(world)

    assert (world.record.read(BACKUP) or {})["name"] == "full_20260102.tar.gz"


def test_a_second_backup_of_the_same_day_is_noted(world: World) -> None:
    today = f"tidb-backup-{datetime.now(UTC):%Y%m%d}"
    world.backups.has_archive(today)

    (found,) = back_up(world).findings

    assert str(found) == f"vm-1: today's backup {today}.tar.gz is kept, the new one got another name [backup-second-today]"


def test_the_way_back_is_never_deleted(world: World) -> None:
    world.platform = platform(backup={**CONFIG["backup"], "delete_expired": True})
    world.backups.has_archive("tidb-backup-20200101")

    outcome = expire(world, keep={"tidb-backup-20200101.tar.gz"})

    assert (outcome.change, outcome.findings) == (Change.UNCHANGED, ())
    assert world.mutations == []


@pytest.mark.parametrize(("delete", "change"), [(True, Change.PLANNED), (False, Change.UNCHANGED)])
def test_a_dry_run_plans_to_delete_expired_archives_only_where_the_config_says_so(world: World, delete: bool, change: Change) -> None:
    world.platform = platform(backup={**CONFIG["backup"], "delete_expired": delete})

    assert expire_backups.fn(world.run(dry=True), world.hosts["vm-1"], world.platform, world.kube).change is change
