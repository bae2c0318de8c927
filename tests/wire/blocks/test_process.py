"""A lock is taken over from a process that is surely dead, and from no other."""

import subprocess
import sys

from blocks.lock import RunLock
from blocks.process import is_dead, process_name
from tests.fakes.clock import FakeTime
from tests.fakes.keys import FakeKeys

NAME = "from blocks.process import process_name; print(process_name())"


def name_of_the_dead() -> str:
    return subprocess.run([sys.executable, "-c", NAME], capture_output=True, text=True, check=True).stdout.strip()


def test_this_process_lives() -> None:
    assert not is_dead(f"migrate a on host-1, {process_name()}, since now")


def test_a_process_that_has_ended_is_dead() -> None:
    assert is_dead(f"migrate a on host-1, {name_of_the_dead()}, since then")


def test_another_process_of_the_same_number_is_another() -> None:
    begun = process_name().split()[4]

    assert is_dead(process_name().replace(f"begun at {begun}", "begun at 1"))


def test_of_another_machine_or_container_nothing_is_known() -> None:
    assert not is_dead(name_of_the_dead().replace("pid:[", "pid:[9"))
    assert not is_dead("migrate a on host-1")


def test_a_dead_runs_lock_is_taken_over_at_once() -> None:
    time = FakeTime()
    keys = FakeKeys(time)
    begun = time.now()
    keys.put_if_absent("/lock", name_of_the_dead(), keys.grant(30))

    with RunLock(keys, "/lock", "migrate b", clock=time.now, sleep=time.sleep).held() as held:
        held.check()
        assert keys.get("/lock") == "migrate b"
    assert time.now() == begun
