"""What a run has not provoked is known by the page, by what was made, and by the tests that are run at other times."""

from configs.errors import EvenkeelError
from tasks.engine.finding import Findings
from tests.unit.conftest import provoked
from tests.unit.provoked import never_provoked

PAGE = "# Findings\n\n### `disk-full`\n\nIt is `clock-off`.\n\n### `clock-off`\n\n### `clock-off-far`\n"


def test_ids_that_were_neither_made_nor_named_are_missing() -> None:
    assert never_provoked(PAGE, {"clock-off"}, ['match=r"no room \\[disk-full\\]"']) == ["clock-off-far"]


def test_a_longer_id_names_no_shorter_one() -> None:
    assert never_provoked(PAGE, {"disk-full"}, ["clock-off-far, the-clock-off"]) == ["clock-off"]


def test_ids_of_errors_and_of_findings_are_recorded() -> None:
    EvenkeelError("nothing is wrong", id="test-of-an-error")
    Findings("vm-1").note("test-of-a-finding", "nothing is wrong")

    assert {"test-of-an-error", "test-of-a-finding"} <= provoked.ids
