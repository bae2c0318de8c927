"""What systemd says of a unit: two words, whether it runs and whether it will after a reboot."""

from __future__ import annotations


def unit_state(unit: str) -> str:
    """The command of a fact that `is_on` and `is_off` understand."""
    return f"systemctl is-active {unit}; systemctl is-enabled {unit}"


def is_on(said: str) -> bool:
    """Whether the unit runs now and will run after a reboot."""
    return said.split() == ["active", "enabled"]


def is_off(said: str) -> bool:
    """Whether the unit neither runs nor will; a failed one and one that was never there are off, too."""
    active, enabled, *_ = [*said.split(), "unknown", "unknown"]
    return active in ("inactive", "failed", "unknown") and enabled != "enabled"
