"""What a process costs, with all that it starts: elapsed time, CPU time and memory."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import subprocess
import threading
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

LOOK_S = 0.5
MOST_S = 600
PR_SET_CHILD_SUBREAPER = 36


class FailedError(Exception):
    """It did not do its work; what it took is no measure."""


@dataclass(frozen=True)
class Cost:
    """Of one turn."""

    elapsed_s: float
    cpu_s: float
    peak_mb: float


def middle_ratio(pairs: Iterable[tuple[float, float]]) -> float | None:
    """The median of the rounds' own ratios, as load changes between rounds; None before the first round."""
    ratios = [ours / other for ours, other in pairs if other]
    return median(ratios) if ratios else None


@dataclass
class Tree:
    """The processes below one, and what memory they share among themselves counted once."""

    root: int
    proc: Path = Path("/proc")
    parents: dict[int, int] = field(default_factory=dict)
    peak_kb: int = 0

    def look(self) -> list[int]:
        """All of them, the root first; a process is asked for its parent once."""
        now = {int(one) for one in os.listdir(self.proc) if one.isdigit()}  # noqa: PTH208  # half the price of iterdir, with 2000 of them
        for pid in now - self.parents.keys():
            with suppress(OSError):
                self.parents[pid] = int((self.proc / str(pid) / "stat").read_text().rpartition(")")[2].split()[1])
        self.parents = {pid: parent for pid, parent in self.parents.items() if pid in now}
        found = [self.root]
        for pid in found:
            found.extend(child for child, parent in self.parents.items() if parent == pid)
        return found

    def weigh(self) -> None:
        self.peak_kb = max(self.peak_kb, sum(map(self._kb, self.look())))

    def _kb(self, pid: int) -> int:
        with suppress(OSError):
            for line in (self.proc / str(pid) / "smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    return int(line.split()[1])
        return 0


def adopt_orphans() -> None:
    """What a child's children leave running becomes a child of this process: ssh's masters of shared connections, whose CPU time counts."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def cost_of(
    words: Sequence[str | Path],
    env: Mapping[str, str],
    *,
    others: Collection[int] = (),
    shows: tuple[str, int] = ("", 0),
    within_s: float = MOST_S,
) -> Cost:
    """Run this to its end. `others` are children of this process that it has nothing to do with.

    Raises FailedError with its last words when it fails, or does not show a text so often.
    """
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    process = subprocess.Popen(words, env=dict(env), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    tree, over = Tree(process.pid), threading.Event()
    watching = threading.Thread(target=_watch, args=(tree, over))
    watching.start()
    try:
        said, _ = process.communicate(timeout=within_s)
    except subprocess.TimeoutExpired:
        process.kill()
        said, _ = process.communicate()
        said += f"\nnot done within {within_s:g} s"
    elapsed = time.monotonic() - begun
    over.set()
    watching.join()
    _end_orphans({*others, process.pid})
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if process.returncode != 0:
        raise FailedError(f"{' '.join(map(str, words))}: exit code {process.returncode}: {said[-2000:]}")
    text, times = shows
    if times and said.count(text) < times:
        raise FailedError(f"{words[0]}: {said.count(text)} times {text}, expected {times}: {said[-2000:]}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(elapsed, cpu, tree.peak_kb / 1024)


def _watch(tree: Tree, over: threading.Event) -> None:
    while not over.wait(LOOK_S):
        tree.weigh()


def own_children() -> set[int]:
    """The processes that this one has started, or adopted."""
    tree = Tree(os.getpid())
    tree.look()
    return {pid for pid, parent in tree.parents.items() if parent == os.getpid()}


def _end_orphans(but: Collection[int]) -> None:
    for pid in own_children() - set(but):
        with suppress(OSError):
            os.kill(pid, signal.SIGTERM)
            os.waitpid(pid, 0)
