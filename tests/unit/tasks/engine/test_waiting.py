"""Waiting, by a clock that passes at once."""

import logging

import pytest

from blocks.errors import DeadlineExceededError, EtcdUnavailableError, RefusedError
from tasks.engine.journal import Entry, under_way
from tasks.engine.waiting import stays, wait_until
from tests.fakes.clock import FakeTime


def test_the_first_answer_that_is_true_is_returned(time: FakeTime) -> None:
    answers = iter([None, 0, "", "ready"])

    assert wait_until("it is ready", lambda: next(answers), timeout_s=10) == "ready"
    assert time.now() == 1003


def test_what_holds_already_is_not_waited_for(time: FakeTime) -> None:
    wait_until("it is ready", lambda: True, timeout_s=10)

    assert time.now() == 1000


def test_a_deadline_says_what_was_awaited_and_for_how_long(time: FakeTime) -> None:
    with pytest.raises(DeadlineExceededError, match=r"^phys-1 is Ready: not within 10 s \[deadline-exceeded\]$"):
        wait_until("phys-1 is Ready", lambda: False, timeout_s=10)

    assert time.now() == 1010


def test_what_is_still_lacking_is_logged_while_it_waits_and_in_the_error(
    time: FakeTime, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with pytest.raises(DeadlineExceededError, match=r"^vm-1 is drained: not within 20 s: shop/web-1: terminating \[deadline-exceeded\]$"):
        wait_until("vm-1 is drained", lambda: False, timeout_s=20, still=lambda: "shop/web-1: terminating")

    assert "waiting for 15 s of 20 s: vm-1 is drained: shop/web-1: terminating" in caplog.text


def test_a_deadline_is_not_retried(time: FakeTime) -> None:
    with pytest.raises(DeadlineExceededError) as passed:
        wait_until("it is ready", lambda: False, timeout_s=1)

    assert passed.value.retryable is False


def test_a_deadline_has_the_id_of_what_was_awaited(time: FakeTime) -> None:
    with pytest.raises(DeadlineExceededError, match=r"not within 1 s \[etcd-not-promoted\]$") as passed:
        wait_until("etcd promotes phys-1", lambda: False, timeout_s=1, id="etcd-not-promoted")

    assert passed.value.id == "etcd-not-promoted"


def test_the_question_is_asked_once_more_at_the_deadline(time: FakeTime) -> None:
    assert wait_until("it is ready", lambda: time.now() >= 1002.5, timeout_s=2.5)


def test_a_transient_error_counts_as_not_yet(time: FakeTime) -> None:
    def question() -> bool:
        if time.now() < 1003:
            raise EtcdUnavailableError("electing a leader")
        return True

    assert wait_until("etcd answers", question, timeout_s=10)


def test_the_last_transient_error_is_quoted_at_the_deadline(time: FakeTime) -> None:
    def question() -> bool:
        raise EtcdUnavailableError("electing a leader")

    with pytest.raises(DeadlineExceededError, match="not within 3 s: electing a leader"):
        wait_until("etcd answers", question, timeout_s=3)


def test_any_other_error_ends_the_wait_at_once(time: FakeTime) -> None:
    def question() -> bool:
        raise RefusedError("somebody removed it", id="demo-gone")

    with pytest.raises(RefusedError):
        wait_until("it is there", question, timeout_s=10)
    assert time.now() == 1000


def test_a_long_wait_is_logged_every_15_seconds(time: FakeTime, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="tasks.engine.waiting")

    wait_until("it is ready", lambda: time.now() >= 1050, timeout_s=60)

    assert caplog.records[0].message == "waiting for 15 s of 60 s: it is ready"
    assert len(caplog.records) == 3


def test_what_stays_true_has_stayed(time: FakeTime) -> None:
    assert stays("it is there", lambda: True, for_s=5)
    assert time.now() == 1005


def test_what_is_false_once_has_not_stayed(time: FakeTime) -> None:
    assert not stays("it is there", lambda: time.now() < 1004, for_s=5)


def test_whoever_watches_a_step_sees_what_it_waits_for_until_it_no_longer_does(time: FakeTime) -> None:
    entry = Entry("drain", "vm-1", "2026-01-02T03:04:05.000+00:00")
    seen: list[str] = []
    token = under_way.set(entry)

    def asked() -> bool:
        seen.append(entry.awaiting)
        return len(seen) == 20

    wait_until("vm-1 is drained", asked, timeout_s=30, still=lambda: "shop/web-1: terminating")
    under_way.reset(token)

    assert (seen[0], seen[-1], entry.awaiting) == ("vm-1 is drained", "vm-1 is drained: shop/web-1: terminating", "")
