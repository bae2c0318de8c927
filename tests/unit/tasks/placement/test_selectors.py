"""Selectors mean what the scheduler makes of them."""

from typing import Any

import pytest

from tasks.placement.selectors import matches, selects, taint_of, unmatched_term, untolerated

LABELS = {"zone": "a", "disks": "4"}
DEDICATED = {"key": "dedicated", "value": "db", "effect": "NoSchedule"}


def requires(key: str, operator: str, *values: str) -> dict[str, Any]:
    return {"key": key, "operator": operator, "values": list(values)}


@pytest.mark.parametrize(
    ("expression", "holds"),
    [
        (requires("zone", "In", "a", "b"), True),
        (requires("zone", "In", "b"), False),
        (requires("other", "In", "a"), False),
        (requires("zone", "NotIn", "b"), True),
        (requires("zone", "NotIn", "a"), False),
        (requires("other", "NotIn", "a"), True),
        (requires("zone", "Exists"), True),
        (requires("other", "Exists"), False),
        (requires("other", "DoesNotExist"), True),
        (requires("zone", "DoesNotExist"), False),
        (requires("disks", "Gt", "3"), True),
        (requires("disks", "Gt", "4"), False),
        (requires("disks", "Lt", "5"), True),
        (requires("disks", "Lt", "4"), False),
        (requires("zone", "Gt", "3"), False),
        (requires("other", "Lt", "3"), False),
    ],
    ids=str,
)
def test_an_expression_holds_for_a_nodes_labels(expression: dict[str, Any], holds: bool) -> None:
    assert (unmatched_term([{"matchExpressions": [expression]}], LABELS, "n") == "") is holds
    assert selects({"matchExpressions": [expression]}, LABELS) is holds


def test_an_empty_selector_selects_all_for_an_affinity_and_nothing_for_a_budget() -> None:
    assert (matches({}, LABELS), selects({}, LABELS)) == (True, False)
    assert (matches(None, LABELS), selects(None, LABELS)) == (False, False)


def test_one_term_of_several_is_enough_but_all_of_its_expressions_are_needed() -> None:
    wrong, right = requires("zone", "In", "b"), requires("disks", "Exists")

    assert unmatched_term([{"matchExpressions": [wrong]}, {"matchExpressions": [right]}], LABELS, "n") == ""
    assert unmatched_term([{"matchExpressions": [right, wrong]}], LABELS, "n") == "zone In b"


def test_a_field_is_the_nodes_name() -> None:
    term = {"matchFields": [requires("metadata.name", "In", "vm-1")]}

    assert unmatched_term([term], LABELS, "vm-1") == ""
    assert unmatched_term([term], LABELS, "vm-2") == "metadata.name In vm-1"


@pytest.mark.parametrize("terms", [[], [{}]])
def test_what_selects_nothing_says_so(terms: list[dict[str, Any]]) -> None:
    assert unmatched_term(terms, LABELS, "n")


@pytest.mark.parametrize(
    ("toleration", "tolerated"),
    [
        ({"operator": "Exists"}, True),
        ({"key": "dedicated", "operator": "Exists"}, True),
        ({"key": "dedicated", "operator": "Exists", "effect": "NoSchedule"}, True),
        ({"key": "dedicated", "operator": "Exists", "effect": "NoExecute"}, False),
        ({"key": "dedicated", "value": "db"}, True),
        ({"key": "dedicated", "operator": "Equal", "value": "web"}, False),
        ({"key": "other", "operator": "Exists"}, False),
        ({}, False),
    ],
    ids=str,
)
def test_a_toleration_is_for_a_taint(toleration: dict[str, Any], tolerated: bool) -> None:
    assert untolerated([DEDICATED], [toleration]) == ("" if tolerated else "dedicated=db:NoSchedule")


def test_a_taint_that_only_asks_keeps_nothing_off() -> None:
    assert untolerated([{**DEDICATED, "effect": "PreferNoSchedule"}], []) == ""


@pytest.mark.parametrize("text", ["dedicated=db:NoSchedule", "example.com/gone=:NoExecute"])
def test_a_taint_of_a_config_is_written_as_it_was(text: str) -> None:
    assert untolerated([taint_of(text)], []) == text
