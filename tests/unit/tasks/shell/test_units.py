"""What systemd says of units."""

import pytest

from tasks.shell.units import is_off, is_on, variables_of

STATES = {
    "active\nenabled": (True, False),
    "active\ndisabled": (False, False),
    "activating\nenabled": (False, False),
    "inactive\nenabled": (False, False),
    "inactive\ndisabled": (False, True),
    "failed\ndisabled": (False, True),
    "failed\nenabled": (False, False),
    "inactive\nnot-found": (False, True),
    "inactive\nmasked": (False, True),
    "inactive": (False, True),
    "": (False, True),
}


@pytest.mark.parametrize(("state", "on", "off"), [(state, *is_) for state, is_ in STATES.items()])
def test_a_unit_is_on_when_it_runs_and_will_and_off_when_it_neither_does_nor_will(
    state: str, on: bool, off: bool
) -> None:
    assert (is_on(state), is_off(state)) == (on, off)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('Environment=A=1 "B=2 3" \'C=4\'\nEnvironment=A=5', {"A": "5", "B": "2 3", "C": "4"}),
        ("Environment=A=1\nA=2\nB='3 4'\nC=\"5\"\nD=6 7", {"A": "2", "B": "3 4", "C": "5", "D": "6 7"}),
        ("[Service]\nType=notify\nEnvironment=\"A=1\nB=2", {"Type": "notify", "B": "2"}),
        ("A=b=c", {"A": "b=c"}),
    ],
    ids=["a unit's", "its files' count", "an open quote", "a value with ="],
)
def test_variables_are_read_as_systemd_reads_them(text: str, found: dict[str, str]) -> None:
    assert variables_of(text) == found
