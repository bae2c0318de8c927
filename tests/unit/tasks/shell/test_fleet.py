"""Machines are asked at once, and what was asked counts for who asks."""

import threading
import time

import pytest

from blocks.ports import round_trips
from tasks.shell.fleet import AT_ONCE, side_by_side


def test_answers_come_in_the_order_of_the_questions() -> None:
    all_asked = threading.Barrier(3, timeout=5)

    def ask(number: int) -> int:
        all_asked.wait()
        return number * 10

    assert side_by_side(ask, [3, 1, 2]) == [30, 10, 20]


def test_a_large_fleet_has_no_thread_for_each_of_its_machines() -> None:
    threads = side_by_side(lambda _: (time.sleep(0.001), threading.get_ident())[1], range(4 * AT_ONCE))

    assert len(set(threads)) <= AT_ONCE


def test_nobody_is_asked_nothing() -> None:
    assert side_by_side(len, []) == []


def test_round_trips_count_for_the_step_that_asks() -> None:
    trips: list[str] = []
    token = round_trips.set(trips)
    try:
        side_by_side(lambda name: round_trips.get().append(name), ["a", "b"])  # type: ignore[union-attr]
    finally:
        round_trips.reset(token)

    assert sorted(trips) == ["a", "b"]


def test_an_error_is_raised_when_no_question_is_open_any_more() -> None:
    both_asked, answered = threading.Barrier(2, timeout=5), []

    def ask(name: str) -> None:
        both_asked.wait()
        if name == "a":
            raise ValueError(name)
        time.sleep(0.05)
        answered.append(name)

    with pytest.raises(ValueError, match="a"):
        side_by_side(ask, ["a", "b"])
    assert answered == ["b"]
