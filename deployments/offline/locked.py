"""The lock file, read: which of its requirements a Python needs to run the project, without the tools of its developers."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

HEAD = re.compile(r"^(?=[\w])(.+?) \\$", re.MULTILINE)
HASH = re.compile(r"--hash=(\S+)")
WANTED_BY = re.compile(r"^ +#(?: via)? +([\w.-]+)", re.MULTILINE)


@dataclass(frozen=True)
class Locked:
    """One pinned package: the hashes of its files, and the packages that require it."""

    requirement: Requirement
    hashes: tuple[str, ...]
    wanted_by: frozenset[str]

    def is_for(self, python: str) -> bool:
        """Whether some release of this Python (as `3.11`) on Linux needs it; its first releases may need more than later ones."""
        marker = self.requirement.marker
        return marker is None or any(
            marker.evaluate({**LINUX, "python_version": python, "python_full_version": f"{python}.{patch}"})
            for patch in (0, 99)
        )

    @property
    def hashed(self) -> str:
        """A line for pip that takes these files only. Without the marker, which pip would judge by the Python that it runs on."""
        return " ".join((f"{self.requirement.name}{self.requirement.specifier}", *(f"--hash={one}" for one in self.hashes)))


LINUX = {
    "sys_platform": "linux", "platform_system": "Linux", "platform_machine": "x86_64", "os_name": "posix",
    "implementation_name": "cpython", "platform_python_implementation": "CPython",
}  # fmt: skip


def parse(text: str) -> dict[str, Locked]:
    """By name: every package of a lock file that `uv pip compile` has written with hashes and annotations."""
    _, *parts = HEAD.split(text)
    found = (
        Locked(Requirement(head), tuple(HASH.findall(rest)), frozenset(WANTED_BY.findall(rest)))
        for head, rest in zip(parts[::2], parts[1::2], strict=True)
    )
    return {one.requirement.name: one for one in found}


def roots(pyproject: str) -> set[str]:
    """What the project itself names: to run, and to be installed."""
    said = tomllib.loads(pyproject)
    return {canonicalize_name(Requirement(one).name) for one in (*said["project"]["dependencies"], *said["build-system"]["requires"])}


def needed(locked: Mapping[str, Locked], names: Iterable[str]) -> list[Locked]:
    """The packages of these names and all that they require, by name. Raises KeyError for a name that is not locked."""
    found = {name: locked[name] for name in names}
    while more := {name: one for name, one in locked.items() if name not in found and one.wanted_by & found.keys()}:
        found |= more
    return [found[name] for name in sorted(found)]
