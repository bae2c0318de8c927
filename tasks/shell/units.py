"""What systemd says of a unit: whether it runs, and whether it will after a reboot; what it is started with."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from contextlib import suppress

from blocks.errors import RefusedError

MASKED = "is masked: it links to /dev/null, so that nothing can start it"
UNMASK = "find out who has done that, then type there: systemctl unmask {}"


def unit_state(unit: str) -> str:
    """The command for a fact that `is_on` and `is_off` understand."""
    return f"systemctl is-active {unit}; systemctl is-enabled {unit}"


def is_on(state: str) -> bool:
    """Whether the unit runs now and will run after a reboot."""
    return state.split() == ["active", "enabled"]


def is_off(state: str) -> bool:
    """Whether the unit neither runs now nor will run after a reboot; a failed or missing unit is off, too."""
    active, enabled, *_ = [*state.split(), "unknown", "unknown"]
    return active in ("inactive", "failed", "unknown") and enabled != "enabled"


def masked_units(units: Iterable[str]) -> str:
    """The command for a fact: those of the units that are masked, one a line. A masked one can't be started, nor enabled."""
    return f'for u in {" ".join(units)}; do case $(systemctl is-enabled "$u") in masked*) echo "$u" ;; esac; done'


def refuse_masked(host: str, unit: str, state: str) -> None:
    """Raise RefusedError where the unit is masked: somebody meant that nothing starts it, and nobody here undoes that."""
    if "masked" in state:
        raise RefusedError(f"{host}: its unit {unit} {MASKED}: {UNMASK.format(unit)}", id="unit-masked")


def drop_in_folders(unit: str) -> tuple[str, ...]:
    """Where systemd looks for more of a service's settings. An old unit's would apply to a new one of its name, too."""
    roots = ("/etc", "/run", "/usr/local/lib", "/usr/lib", "/lib")
    return tuple(f"{root}/systemd/system/{unit}.service.d" for root in roots)


def variables_of(text: str) -> dict[str, str]:
    """The variables in lines of a unit (Environment=...) and of its files, which come after it and count; quotes are taken off.

    A line of the unit with an open quote is ignored, as systemd does it.
    """
    found: dict[str, str] = {}
    for line in text.splitlines():
        name, equals, value = line.strip().partition("=")
        if name == "Environment":
            with suppress(ValueError):
                found |= {word.partition("=")[0]: word.partition("=")[2] for word in shlex.split(value) if "=" in word}
        elif equals:
            quoted = re.fullmatch(r"\s*([\"'])(.*)\1\s*", value)
            found[name] = quoted[2] if quoted else value.strip()
    return found
