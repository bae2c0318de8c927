"""etcd grows by one caught-up learner at a time, and a failed join is taken back."""

import pytest

from blocks.errors import DeadlineExceededError, HostError, HostUnreachableError, RefusedError
from configs.errors import EvenkeelError
from tasks.engine.finding import FindingsError
from tasks.engine.outcome import Change, Outcome
from tasks.etcd.join import ensure_voter
from tests.fakes import machines
from tests.fakes.world import World
from tests.unit.tasks.cases import flags_of

DATA = "/mnt/disks/etcd"


def join(world: World, *, dry: bool = False) -> Outcome:
    platform = world.platform
    return ensure_voter.fn(world.run(dry=dry), world.hosts["phys-1"], platform, platform.targets[0], world.etcd, flags_of(world))


def names(world: World) -> list[str]:
    return [member.name for member in world.etcd.members()]


def test_a_target_joins_as_a_learner_and_is_promoted_when_it_has_caught_up(world: World) -> None:
    world.etcd.polls_to_sync = 3

    assert join(world).why == "voter, member 1003, of 3"

    assert world.etcd.mutations == ["add learner http://10.0.0.21:2380", "promote phys-1"]
    assert world.etcd.calls.count("promote") == 4
    assert world.hosts["phys-1"].unit_state("etcd") == ("active", "enabled")


def test_the_unit_lists_exactly_the_members_of_now(world: World) -> None:
    join(world)

    unit = world.hosts["phys-1"].read("/etc/systemd/system/etcd.service")
    members = "vm-1=http://10.0.0.11:2380,vm-2=http://10.0.0.12:2380,phys-1=http://10.0.0.21:2380"
    assert f"--initial-cluster {members} \\\n" in unit


def test_the_unit_has_the_running_members_flags(world: World) -> None:
    variables = "ETCD_QUOTA_BACKEND_BYTES=4294967296\nETCD_UNSUPPORTED_ARCH=arm64\n"
    machines.run_etcd(world.hosts["vm-1"], "--heartbeat-interval", "200", "--cors", 'a b"$%', environment=variables)

    join(world)

    unit = world.hosts["phys-1"].read("/etc/systemd/system/etcd.service")
    assert (
        '    --quota-backend-bytes=4294967296 \\\n' in unit
        and '    "--cors=a b\\"$$%%" \\\n    --heartbeat-interval=200 \\\n' in unit
        and "\nEnvironment=ETCD_UNSUPPORTED_ARCH=arm64\nExecStart=" in unit
    )


def test_nobody_joins_with_flags_that_are_not_known(world: World) -> None:
    for name in ("vm-1", "vm-2"):
        world.hosts[name].tell("units/etcd/pid", "0")
        world.hosts[name].path("/etc/systemd/system/etcd.service").unlink()

    with pytest.raises(RefusedError, match=r"\[etcd-flags-unread\]"):
        join(world)
    assert world.mutations == []


def test_a_cluster_that_is_still_settling_is_asked_again(world: World) -> None:
    world.etcd.unhealthy_adds = 5

    assert join(world).change is Change.CHANGED


def test_data_of_an_older_etcd_is_moved_aside_before_the_start(world: World) -> None:
    host = world.hosts["phys-1"]
    host.write(f"{DATA}/member/old", "old data\n")

    join(world)

    assert host.read(f"{DATA}.aside-before-join/member/old") == "old data\n"
    assert list(host.path(DATA).iterdir()) == []


def test_data_below_a_mount_point_is_moved_aside_within_it(world: World) -> None:
    host = world.hosts["phys-1"]
    host.write(f"{DATA}/member/old", "old data\n")
    host.mount(DATA, "ext4")

    join(world)

    assert host.read(f"{DATA}/.aside-before-join/member/old") == "old data\n"


def test_what_is_moved_aside_below_a_mount_point_meets_nothing_of_before(world: World) -> None:
    host = world.hosts["phys-1"]
    host.mount(DATA, "ext4")
    host.write(f"{DATA}/.aside-before-join/member/old", "old data\n")
    host.write(f"{DATA}/member/half", "a half copy\n")

    join(world)

    assert host.read(f"{DATA}/.aside-before-join/member/old") == "old data\n"
    (later,) = host.path(DATA).glob(".aside-before-join.*")
    assert (later / "member/half").read_text() == "a half copy\n"


def test_a_learner_that_never_catches_up_is_backed_out(world: World) -> None:
    world.etcd.never_in_sync = True

    with pytest.raises(
        DeadlineExceededError, match=r"phys-1: joining etcd failed, the learner is removed again.*\[etcd-not-promoted\]"
    ):
        join(world)

    assert names(world) == ["vm-1", "vm-2"]
    assert world.hosts["phys-1"].unit_state("etcd") == ("inactive", "disabled")


def test_a_learner_that_was_never_added_is_not_said_to_be_removed(world: World) -> None:
    world.etcd.unhealthy_adds = 1000

    with pytest.raises(
        DeadlineExceededError, match=r"etcd does not list it and is as before: .*learner-not-added\]"
    ) as no:
        join(world)

    assert "removed again" not in str(no.value)
    assert "remove" not in world.etcd.calls


def test_a_learner_that_something_else_removed_is_not_said_to_be_removed_by_us(world: World) -> None:
    world.hosts["phys-1"].changed = lambda _: world.etcd.remove(world.etcd.members()[-1])

    with pytest.raises(RefusedError, match=r"etcd does not list it and is as before: .*\[etcd-learner-gone\]"):
        join(world)


def test_a_voter_whose_join_failed_after_its_promotion_stays_one(world: World) -> None:
    world.etcd.fail("promote", HostError("etcd: the answer is lost"), after=True, times=3)

    with pytest.raises(HostError, match="phys-1: joining etcd failed, it is a voter and stays one"):
        join(world)

    assert names(world) == ["vm-1", "vm-2", "phys-1"]
    assert world.hosts["phys-1"].unit_state("etcd") == ("active", "enabled")


def test_a_learner_whose_unit_does_not_start_is_backed_out(world: World) -> None:
    world.hosts["phys-1"].tell("units/etcd/broken", "yes")

    with pytest.raises(EvenkeelError, match=r"starting etcd: exit code 1: Job for etcd.service failed"):
        join(world)

    assert names(world) == ["vm-1", "vm-2"]


def test_a_learner_that_never_starts_is_not_promoted(world: World) -> None:
    world.hosts["phys-1"].changed = None

    with pytest.raises(DeadlineExceededError, match=r"etcd promotes http://10.0.0.21:2380: not within 600 s"):
        join(world)

    assert "promote" not in world.etcd.calls
    assert names(world) == ["vm-1", "vm-2"]


def test_an_etcd_that_does_not_catch_up_is_quoted_with_its_last_words(world: World) -> None:
    world.etcd.never_in_sync = True
    world.hosts["phys-1"].tell("journal", "start operation timed out. Terminating.")

    with pytest.raises(DeadlineExceededError) as failed:
        join(world)

    *_, words = str(failed.value).splitlines()
    assert words == (
        "phys-1: journalctl -u etcd ends with: start operation timed out. Terminating. [etcd-not-promoted]"
    )


def test_no_journal_is_read_of_an_etcd_that_was_never_started(world: World) -> None:
    world.etcd.unhealthy_adds = 1000
    world.hosts["phys-1"].tell("journal", "the old platform's words")

    with pytest.raises(DeadlineExceededError) as failed:
        join(world)

    assert "words" not in str(failed.value)
    assert world.hosts["phys-1"].mutations == []


def test_a_run_that_lost_its_lock_takes_nothing_back(world: World) -> None:
    world.etcd.never_in_sync = True
    world.time.later(300, lambda: setattr(world.lock, "lost", True))

    with pytest.raises(DeadlineExceededError, match=r"joining etcd failed, nothing is taken back \(the lock is lost\)"):
        join(world)

    assert names(world) == ["vm-1", "vm-2", "phys-1"]
    assert world.hosts["phys-1"].unit_state("etcd") == ("active", "enabled")


def test_an_undo_that_fails_does_not_hide_why_the_join_failed(world: World) -> None:
    world.etcd.never_in_sync = True
    world.etcd.fail("remove", HostError("etcd: it declines"))

    with pytest.raises(DeadlineExceededError, match=r"could not be taken back \(etcd: it declines\).*not within 600 s"):
        join(world)


@pytest.mark.parametrize("root", ["/etc", "/run", "/usr/local/lib", "/usr/lib", "/lib"])
def test_drop_ins_of_another_etcds_unit_do_not_apply_to_ours_and_are_kept(world: World, root: str) -> None:
    host = world.hosts["phys-1"]
    folder = f"{root}/systemd/system/etcd.service.d"
    host.write(f"{folder}/10-old.conf", "[Service]\nExecStart=\n")

    (found,) = join(world).findings

    assert str(found) == (
        f"phys-1: {folder}/10-old.conf: drop-ins of the unit that ours replaces are moved aside, "
        "to FOLDER.aside-before-join [etcd-drop-ins-aside]"
    )
    assert not host.path(folder).exists()
    assert host.read(f"{folder}.aside-before-join/10-old.conf") == "[Service]\nExecStart=\n"


def test_a_failed_join_can_be_tried_again(world: World) -> None:
    world.etcd.never_in_sync = True
    with pytest.raises(EvenkeelError):
        join(world)
    world.etcd.never_in_sync = False

    assert join(world).change is Change.CHANGED


def test_a_backed_out_error_is_not_its_own_cause(world: World) -> None:
    world.etcd.never_in_sync = True

    with pytest.raises(EvenkeelError) as failed:
        join(world)

    assert failed.value.__cause__ is not failed.value


def test_a_learner_is_removed_even_when_its_machine_has_gone(world: World) -> None:
    host = world.hosts["phys-1"]
    host.fail("starting etcd", HostUnreachableError("phys-1: SSH broke"))
    host.fail("clearing the failed learner", HostUnreachableError("phys-1: SSH broke"))

    with pytest.raises(HostUnreachableError, match="the learner is removed again"):
        join(world)

    assert names(world) == ["vm-1", "vm-2"]


def test_a_learner_that_an_earlier_run_has_added_is_finished(world: World) -> None:
    world.etcd.begun("10.0.0.21")
    world.hosts["phys-1"].write(f"{DATA}/half", "a half copy\n")

    assert join(world).change is Change.CHANGED
    assert world.etcd.mutations == ["promote phys-1"]
    assert not world.hosts["phys-1"].path(f"{DATA}/half").exists()


def test_a_voter_whose_unit_is_off_is_started_with_its_data(world: World) -> None:
    world.has_voters("phys-1")
    world.hosts["phys-1"].unit("etcd", "inactive", "disabled")

    join(world)

    assert world.etcd.mutations == []
    assert world.hosts["phys-1"].unit_state("etcd") == ("active", "enabled")
    assert world.hosts["phys-1"].read(f"{DATA}/member/snap/db") == "data\n"


def test_nobody_joins_while_a_voter_is_silent(world: World) -> None:
    world.etcd.down = {"vm-2"}

    with pytest.raises(FindingsError, match="phys-1: joining etcd: voters vm-2 do not answer: 1 of 2 are up"):
        join(world)
    assert world.mutations == []


def test_a_voter_that_is_restarted_gets_time_to_come_back(world: World) -> None:
    world.etcd.down = {"vm-2"}
    world.time.later(20, world.etcd.down.clear)

    join(world)

    assert "phys-1" in {member.name for member in world.etcd.members() if not member.is_learner}


def test_a_dry_run_says_at_once_that_a_voter_is_silent(world: World) -> None:
    world.etcd.down = {"vm-2"}
    begun = world.time.now()

    with pytest.raises(FindingsError, match="voters vm-2 do not answer"):
        join(world, dry=True)
    assert world.time.now() == begun


def test_nobody_joins_while_an_alarm_is_raised(world: World) -> None:
    world.etcd.alarms = ("memberID:4097 alarm:NOSPACE ",)

    with pytest.raises(FindingsError, match=r"phys-1: joining etcd: alarm NOSPACE on vm-1.*\[etcd-alarm\]"):
        join(world)
    assert world.mutations == []


def test_nobody_joins_while_another_learner_is_joining(world: World) -> None:
    world.etcd.begun("10.0.0.22")

    with pytest.raises(
        RefusedError, match=r"another learner, http://10.0.0.22:2380, is joining.*\[etcd-learner-pending\]"
    ):
        join(world)
    assert world.mutations == []


def test_a_learner_whose_address_only_begins_alike_is_another(world: World) -> None:
    world.etcd.begun("10.0.0.210")

    with pytest.raises(RefusedError, match=r"another learner, http://10.0.0.210:2380, is joining"):
        join(world)


def test_the_unit_of_another_etcd_is_kept_beside_ours(world: World) -> None:
    host = world.hosts["phys-1"]
    host.write("/etc/systemd/system/etcd.service", "theirs\n")

    join(world)

    assert host.read("/etc/systemd/system/etcd.service.aside-before-join") == "theirs\n"


def test_a_machine_that_runs_another_etcd_does_not_join(world: World) -> None:
    world.hosts["phys-1"].unit("etcd")

    with pytest.raises(
        RefusedError, match=r"an etcd of another cluster is running there: systemctl disable.*\[etcd-foreign-running\]"
    ):
        join(world)
    assert world.mutations == []


def test_a_name_that_another_member_has_is_refused(world: World) -> None:
    world.etcd.joined("phys-1", "10.0.0.99")

    with pytest.raises(RefusedError, match=r"a member at another address has this name.*\[etcd-name-clash\]"):
        join(world)


def test_members_that_list_others_are_an_error(world: World) -> None:
    world.etcd.stale["vm-2"] = world.etcd.members()

    with pytest.raises(DeadlineExceededError, match="all etcd members list the same members: not within 60 s"):
        join(world)


def test_a_dry_run_shows_the_unit_and_the_quorum(world: World) -> None:
    outcome = join(world, dry=True)

    assert outcome.why == "joins as learner, then voter"
    assert "+    --name phys-1 \\" in outcome.diffs[0]


def test_a_unit_of_the_old_platform_that_is_masked_is_replaced_by_ours(world: World) -> None:
    host = world.hosts["phys-1"]
    host.mask("etcd")

    assert join(world).change is Change.CHANGED
    assert not host.path("/etc/systemd/system/etcd.service").is_symlink()
    assert host.unit_state("etcd") == ("active", "enabled")
