"""What a run has not provoked is known by the page, by what was made, and by the tests that are run at other times."""

import pytest

from configs.errors import EvenkeelError
from tasks.engine.finding import Findings
from tasks.engine.waiting import wait_until
from tests.provoked import never_provoked, only_named
from tests.unit.conftest import provoked

PAGE = "# Findings\n\n### `disk-full`\n\nIt is `clock-off`.\n\n### `clock-off`\n\n### `clock-off-far`\n"


def test_ids_that_were_neither_made_nor_named_are_missing() -> None:
    assert never_provoked(PAGE, {"clock-off"}, ['match=r"no room \\[disk-full\\]"']) == ["clock-off-far"]


def test_a_longer_id_names_no_shorter_one() -> None:
    assert never_provoked(PAGE, {"disk-full"}, ["clock-off-far, the-clock-off"]) == ["clock-off"]


def test_a_name_that_promises_is_kept_by_what_was_made() -> None:
    assert only_named(PAGE, {"clock-off"}, ["[clock-off]", r"\[disk-full\]", "another-word"]) == ["disk-full"]


def test_what_the_product_makes_is_recorded_and_what_a_test_makes_is_not() -> None:
    with pytest.raises(EvenkeelError):
        wait_until("nothing happens", lambda: False, timeout_s=0, id="test-of-an-error")
    EvenkeelError("nothing is wrong", id="test-by-itself")
    Findings("vm-1").note("test-by-itself-too", "nothing is wrong")

    assert {one for one in provoked.ids if one.startswith("test-")} == {"test-of-an-error"}
