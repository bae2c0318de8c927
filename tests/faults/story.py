"""One migration and everything that was injected into it, as a table: the fault, what was seen, how it ended."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from tests.faults import state
from tests.faults.quorum import Quorum, is_healthy
from tests.faults.writers import Writers

STORIES: list[Story] = []


@dataclass(frozen=True)
class Scene:
    """One fault or kill."""

    what: str
    seen: str
    points: int
    quorum: bool
    acknowledged: int
    """Writes since the scene before."""


class Story:
    """Clients that write and a monitor that counts voters, for as long as the context lasts."""

    def __init__(self, name: str, secrets: dict[str, str]) -> None:
        self.name = name
        self.scenes: list[Scene] = []
        self.converged = False
        self.lost = -1
        """How many acknowledged writes; negative until they were looked for."""
        self.writers = Writers(secrets["LAB_MYSQL_WACOS_PASSWORD"])
        self.quorum = Quorum()
        self._open = ExitStack()
        STORIES.append(self)

    def __enter__(self) -> Story:
        self._open.enter_context(self.writers)
        self._open.enter_context(self.quorum)
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    @property
    def points(self) -> int:
        return sum(scene.points for scene in self.scenes)

    def saw(self, what: str, seen: str, *, points: int = 1) -> None:
        """One scene has ended; a majority of the voters must be healthy, and must have been up all the time."""
        before = sum(scene.acknowledged for scene in self.scenes)
        healthy = is_healthy()
        kept = healthy and not self.quorum.lost
        self.scenes.append(Scene(what, seen, points, kept, self.writers.acknowledged - before))
        assert healthy, f"no quorum after {what}"
        assert self.quorum.lost == []

    def ends_as(self, wanted: dict[str, Any]) -> None:
        """The platform is in the state that an undisturbed migration ends in, and every acknowledged write is there.

        Writers and monitor are stopped: what is done to the lab afterwards is not part of this story.
        """
        self._ends(differences=lambda: state.differences(state.the_lab("phys-1"), wanted))

    def ends_verified(self, report: dict[str, Any]) -> None:
        """As `ends_as`, where nothing else ends in the same state: what the last run reports has to do."""
        self._ends(differences=lambda: [] if report["outcome"] == "verified" else [report["outcome"]])

    def _ends(self, differences: Callable[[], list[str]]) -> None:
        self._open.close()
        lost = self.writers.lost()
        self.lost = sum(len(kind) for kind in lost)
        found = differences()
        self.converged = not found
        assert found == []
        assert lost == (set(), set(), set())
        assert self.quorum.lost == []

    def table(self) -> Table:
        table = Table("fault or kill point", "what was seen", "converged", "acknowledged / lost", "quorum", title=self.name)
        for scene in self.scenes:
            writes = f"{scene.acknowledged} / {self._looked_for()}"
            table.add_row(scene.what, scene.seen, _word(self.converged), writes, _word(scene.quorum))
        return table

    def _looked_for(self) -> str:
        return "not looked for" if self.lost < 0 else str(self.lost)

    def totals(self) -> str:
        return (
            f"{self.name}: {self.points} points, {self.points if self.converged else 0} converged, "
            f"{self.writers.acknowledged} writes acknowledged, lost: {self._looked_for()}; "
            f"{self.quorum.samples} counts of voters, {len(self.quorum.lost)} below quorum"
        )


def _word(good: bool) -> str:
    return "yes" if good else "NO"
