"""One run per platform; a killed one's lock is free when its lease has run out."""

import threading
from collections.abc import Iterator

import pytest

from blocks.errors import AnotherRunError, EtcdUnavailableError
from blocks.lock import RunLock
from tests.fakes.clock import FakeTime
from tests.fakes.keys import FakeKeys

KEY = "/evenkeel/demo/lock"


@pytest.fixture
def time() -> Iterator[FakeTime]:
    yield FakeTime()


@pytest.fixture
def keys(time: FakeTime) -> FakeKeys:
    return FakeKeys(time)


def lock(keys: FakeKeys, holder: str) -> RunLock:
    return RunLock(keys, KEY, holder, clock=keys.time.now, sleep=keys.time.sleep)


def killed_holder(keys: FakeKeys) -> None:
    """A run that took the lock and then kept nothing alive."""
    keys.put_if_absent(KEY, "migrate a on host-1", keys.grant(30))


class Living:
    """A run that keeps its lease alive, as seen by one that waits: whenever time passes."""

    def __init__(self, keys: FakeKeys) -> None:
        self._keys, self._lease = keys, keys.grant(30)
        keys.put_if_absent(KEY, "migrate a on host-1", self._lease)

    def sleep(self, seconds: float) -> None:
        self._keys.time.sleep(seconds)
        if self._keys.remaining(self._lease) < 21:
            self._keys.keep_alive(self._lease)


def test_a_lock_that_is_free_is_taken_and_given_back(keys: FakeKeys) -> None:
    with lock(keys, "migrate a").held() as held:
        held.check()
        assert keys.get(KEY) == "migrate a"
    assert keys.get(KEY) is None


def test_a_second_run_is_refused_with_the_holders_name(keys: FakeKeys) -> None:
    living = Living(keys)
    second = RunLock(keys, KEY, "migrate b", clock=keys.time.now, sleep=living.sleep)

    with (
        pytest.raises(AnotherRunError, match=r"another run acts on this platform: migrate a on host-1: wait for it.*changed its leader"),
        second.held(),
    ):
        pytest.fail("both act")
    assert keys.get(KEY) == "migrate a on host-1"


def test_a_killed_runs_lock_is_free_within_a_minute(keys: FakeKeys, time: FakeTime) -> None:
    killed_holder(keys)

    with lock(keys, "migrate b").held() as held:
        held.check()
        assert keys.get(KEY) == "migrate b"
    assert 1029 <= time.now() <= 1060


def test_a_lock_outlives_the_wait_for_a_dead_holder(keys: FakeKeys, time: FakeTime) -> None:
    killed_holder(keys)
    with lock(keys, "migrate b").held() as held:
        time.sleep(5)

        held.check()
        assert keys.get(KEY) == "migrate b"


def test_a_lock_whose_answer_got_lost_is_ours(keys: FakeKeys, time: FakeTime) -> None:
    class Repeating(FakeKeys):
        """Asks again at another member when an answer got lost, as the real one does."""

        def put_if_absent(self, key: str, value: str, lease_id: int = 0) -> bool:
            super().put_if_absent(key, value, lease_id)
            return super().put_if_absent(key, value, lease_id)

    with lock(Repeating(time), "migrate a").held() as held:
        held.check()
    assert time.now() == 1000


def test_a_lock_that_could_not_be_kept_stops_every_act(keys: FakeKeys, time: FakeTime) -> None:
    with lock(keys, "migrate a").held() as held:
        time.sleep(29)
        held.check()
        time.sleep(1)

        with pytest.raises(
            AnotherRunError, match="could not be kept for 30 s, another run may act: nothing more is changed"
        ) as error:
            held.check()
        assert error.value.id == "lock-lost"


def test_a_lock_that_cannot_be_given_back_ends_by_itself(keys: FakeKeys, time: FakeTime) -> None:
    with lock(keys, "migrate a").held():
        keys.fail("revoke", EtcdUnavailableError("no member answered"))

    time.sleep(31)
    assert keys.get(KEY) is None


def test_a_lock_is_kept_by_its_heart_beat(time: FakeTime) -> None:
    beaten = threading.Event()

    class Listening(FakeKeys):
        def keep_alive(self, lease_id: int) -> int:
            beaten.set()
            return super().keep_alive(lease_id)

    with RunLock(Listening(time), KEY, "migrate a", ttl_s=0.03, clock=time.now, sleep=time.sleep).held():  # type: ignore[arg-type]
        assert beaten.wait(5)
