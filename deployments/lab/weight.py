"""LAB_WEIGHT=field: on the targets, loading images and uninstalling the old platform take longer, as with real tars and disks.

They wait, and do not work: the box has two cores for nine machines. It takes effect with the next reset, and changes no copy.
"""

from __future__ import annotations

import os

from deployments.lab import cache, disks
from deployments.lab.machines import Machine
from deployments.lab.shell import LabError

DOCKER = "/usr/local/bin/docker"  # found before the real one, also under sudo
LOAD_S = 10  # a tar; the bundle has three
UNINSTALL_S = 20
WRAPPER = f"""\
#!/bin/sh
# docker as it is, but that loading an archive takes longer.
test "$1" != load || sleep {LOAD_S}
exec /usr/bin/docker "$@"
"""


def is_field() -> bool:
    """Whether the targets take as long as those of the field."""
    asked = os.environ.get("LAB_WEIGHT", "none")
    if asked not in ("none", "field"):
        raise LabError(f"LAB_WEIGHT: {asked!r} is neither none nor field")
    return asked == "field"


def write(machine: Machine) -> None:
    """Its docker and the old platform's uninstall script take longer. It must be off, just reset."""
    disks.write(machine, DOCKER, WRAPPER, 0o755)
    for script in (cache.disk(machine) / "upper/usr/local/bin").glob("k3s*-uninstall.sh"):
        script.write_text(slowed(script.read_text()))


def slowed(script: str) -> str:
    """The same script, which waits before it begins."""
    first, rest = script.split("\n", 1)
    return f"{first}\nsleep {UNINSTALL_S}\n{rest}"
