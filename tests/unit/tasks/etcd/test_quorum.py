"""etcd's arithmetic, compared with its documentation's table."""

import pytest

from blocks.ports import Member
from tasks.etcd.quorum import Membership, memberships, quorum, tolerance, why_not_add, why_not_remove


def voters(count: int) -> list[Member]:
    return [Member(n, f"m{n}", (f"http://10.0.0.{n}:2380",), (f"http://10.0.0.{n}:2379",)) for n in range(1, count + 1)]


LEARNER = Member(99, "new", ("http://10.0.0.99:2380",), (), is_learner=True)


@pytest.mark.parametrize(
    ("size", "needed", "may_fail"),
    [(1, 1, 0), (2, 2, 0), (3, 2, 1), (4, 3, 1), (5, 3, 2), (6, 4, 2), (7, 4, 3), (8, 5, 3), (9, 5, 4)],
)
def test_quorum_and_tolerance_are_those_of_etcds_faq(size: int, needed: int, may_fail: int) -> None:
    assert (quorum(size), tolerance(size)) == (needed, may_fail)


@pytest.mark.parametrize("size", range(3, 9))
def test_a_learner_joins_when_every_voter_answers(size: int) -> None:
    assert why_not_add(voters(size), range(1, size + 1)) is None


@pytest.mark.parametrize("size", range(3, 9))
def test_a_learner_does_not_join_when_one_voter_is_silent(size: int) -> None:
    why = why_not_add(voters(size), range(1, size))

    assert f"voters m{size} do not answer: {size - 1} of {size} are up, quorum is {quorum(size)}" in str(why)


def test_a_silent_learner_does_not_keep_others_out() -> None:
    assert why_not_add([*voters(3), LEARNER], {1, 2, 3}) is None


@pytest.mark.parametrize(("size", "needed"), [(9, 6), (8, 5), (7, 5)])
def test_a_voter_leaves_only_while_enough_others_are_up(size: int, needed: int) -> None:
    members, leaving = voters(size), voters(size)[0]

    assert why_not_remove(members, leaving, range(1, needed + 1)) is None
    assert f"up, and the quorum would be {needed - 1}" in str(why_not_remove(members, leaving, range(1, needed)))


def test_a_voter_that_is_down_may_leave_when_the_others_are_a_quorum() -> None:
    assert why_not_remove(voters(3), voters(3)[0], {2, 3}) is None


def test_the_last_voter_stays() -> None:
    assert why_not_remove([*voters(1), LEARNER], voters(1)[0], {1, 99}) == "m1 is the last voter"


def test_a_learner_may_always_leave() -> None:
    assert why_not_remove([*voters(3), LEARNER], LEARNER, set()) is None


def test_a_learner_does_not_count_as_a_voter_that_is_up() -> None:
    assert why_not_remove([*voters(2), LEARNER], voters(2)[0], {1, 99}) is not None


def test_a_move_adds_all_targets_before_the_first_source_leaves() -> None:
    steps = memberships(["a", "b", "c"], ["x", "y"], ["a"])

    assert [(step.change, len(step.voters), step.quorum, step.tolerance) for step in steps] == [
        ("now", 3, 2, 1),
        ("x becomes a voter", 4, 3, 1),
        ("y becomes a voter", 5, 3, 2),
        ("a is removed", 4, 3, 1),
    ]


@pytest.mark.parametrize(("dead", "survives"), [("ab", True), ("abc", False), ("z", True)])
def test_a_quorum_remains_while_more_than_half_are_up(dead: str, survives: bool) -> None:
    assert Membership("now", tuple("abcde")).survives_without(dead) is survives
