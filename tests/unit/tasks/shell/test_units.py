"""systemd's two words."""

import pytest

from tasks.shell.units import is_off, is_on

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
