"""How a source is named: by its address, its node's name, its short host name. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from configs.hosts import Machine


@dataclass(frozen=True)
class Residue:
    """One place that names a source. A `hard` one breaks when the source is switched off."""

    where: str
    which: str
    named: str
    """The source's address, or a name of its."""
    hard: bool
    remedy: str
    """How to change it."""

    @property
    def what(self) -> str:
        """The part that names the source; never its value, which may hold a secret."""
        return f"{self.which} names {self.named}"


def named_by(source: Machine) -> re.Pattern[str]:
    """Finds the source's address and names as whole ones: 10.0.0.1 is not in 10.0.0.11, vm-1 not in vm-10 nor in old-vm-1."""
    names = sorted({source.name, source.name.partition(".")[0]}, key=len, reverse=True)
    return re.compile(
        rf"(?<![\d.]){re.escape(str(source.address))}(?![\d]|\.\d)"
        rf"|(?<![\w.-])(?:{'|'.join(map(re.escape, names))})(?![\w-]|\.\w)"
    )
