"""ShellCheck on every shell script: those of files, and those that steps and checks send, just as fake machines get them.

python -m tests.shellcheck
"""

from __future__ import annotations

import ast
import logging
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from blocks.ssh_shell import LOOKING, PROGRAM
from configs.errors import EvenkeelError
from configs.rendering import rendered
from tasks.draft.machine import read_machine
from tasks.engine import waiting
from tests.fakes.clock import FakeTime
from tests.fakes.world import World
from tests.unit.tasks.cases import CASES
from tests.unit.tasks.engine.test_contract import STEPS

ROOT = Path(__file__).parent.parent
MEMORY = Path("/dev/shm")
BESIDE = Path(sys.executable).with_name("shellcheck")  # in the virtual environment, from the lock file
MISSING = "shellcheck is missing: make setup installs it where its wheel is for the machine, otherwise: apt-get install shellcheck"
OFF = {
    "SC1091": "a file that is on the machine",
    "SC2012": "what ls lists is counted or shown",
    "SC2016": "a program of its own, in single quotes",
    "SC2034": "a piece sets what one script in three reads",
    "SC2043": "a list that the config gives may be of one item",
    "SC2066": "a list that the config gives may be of one item",
    "SC2329": "a piece has functions that not every script calls",
    "SC2317": "the same, as ShellCheck before 0.11 says it",
}
"""Each with its reason; what holds at one place is switched off there."""
SHEBANG = re.compile(r"#!.*\b(ba|da)?sh\b|# shellcheck shell=")
FOUND = re.compile(r"^(.+?):(\d+):\d+: (.+)$")


def in_files(root: Path = ROOT) -> Iterator[Path]:
    """The tracked files that are scripts by their first line. Others end in .sh, too: a script that reads them names them."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, check=True).stdout.decode()
    for name in filter(None, listed.split("\0")):
        path = root / name
        if path.is_file() and path.suffix != ".py" and SHEBANG.match(path.read_bytes()[:80].decode(errors="replace")):
            yield path


def sent() -> dict[str, str]:
    """Each script that is sent, with what for: by every step and check in its case, and where some of them fail."""
    found = {PROGRAM: "bash on a machine", LOOKING: "opening SSH"}
    found |= {rendered(path.name): path.name for path in ROOT.glob("configs/templates/*.sh.j2")}
    time = FakeTime()
    token = waiting.clock.set(waiting.Clock(time.now, time.sleep))
    try:
        for act in (*map(_case, CASES), *FAILING):
            with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
                world = World(Path(folder), time)
                hosts = [*world.hosts.values()]
                act(world)
                found |= {script.replace(folder, ""): what for host in hosts for what, script in host.sent if what not in SET_UP}
    finally:
        waiting.clock.reset(token)
    return found


def _case(name: str) -> Callable[[World], None]:
    def act(world: World) -> None:
        CASES[name].given(world)
        STEPS[name].fn(world.run(), *CASES[name].arguments(world))

    return act


def _fails(name: str, prepare: Callable[[World], object]) -> Callable[[World], None]:
    """The step fails, and undoes what it did."""

    def act(world: World) -> None:
        CASES[name].given(world)
        prepare(world)
        try:
            STEPS[name].fn(world.run(), *CASES[name].arguments(world))
        except EvenkeelError:
            return
        raise AssertionError(f"{name} did not fail")

    return act


FAILING = (
    _fails("ensure_voter", lambda world: world.hosts["phys-1"].tell("units/etcd/broken", "")),
    _fails("ensure_node", lambda world: world.hosts["phys-1"].tell("installer-fails", "no space left")),
    _fails("ensure_standby", lambda world: world.discards_adverts.add("phys-1")),
    lambda world: read_machine(world.hosts["vm-1"]),
)
SET_UP = ("given", "k3s starts")
"""What tests of steps run on a machine before they begin."""


def unseen(whats: set[str], root: Path = ROOT) -> Iterator[str]:
    """The places in tasks/ that send a script which none of `whats` was for: nothing here has checked it."""
    for path in sorted(root.glob("tasks/*/*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "run":
                for keyword in node.keywords:
                    pattern = _pattern(keyword.value)
                    if keyword.arg == "what" and not any(re.fullmatch(pattern, what) for what in whats):
                        yield f"{path.relative_to(root)}:{node.lineno}: no case sends this script: see FAILING in tests/shellcheck.py"


def _pattern(what: ast.expr) -> str:
    """The texts that it may be: anything, where it is a variable."""
    parts = what.values if isinstance(what, ast.JoinedStr) else [what]
    return "".join(re.escape(str(part.value)) if isinstance(part, ast.Constant) else ".*" for part in parts)


def problems(program: str, scripts: dict[str, str], files: list[Path]) -> list[str]:
    """What ShellCheck finds, by file and line, or by what a script is for; and the line itself."""
    with tempfile.TemporaryDirectory() as folder:
        whats = {}
        for number, (script, what) in enumerate(scripts.items()):
            path = Path(folder, str(number))
            path.write_text(script, encoding="utf-8")
            whats[str(path)] = what
        off, more = ",".join(OFF), ["--external-sources", "--check-sourced", f"--source-path={ROOT}"]
        checks = ([[*more, *map(str, files)]] if files else []) + ([["--shell=bash", *whats]] if whats else [])
        lines = [line for names in checks for line in _checked([program, "--format=gcc", f"--exclude={off}", *names])]
        return list(dict.fromkeys(_placed(line, whats) for line in lines))


def _checked(command: list[str]) -> list[str]:
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C.UTF-8"}, check=False)
    if done.returncode not in (0, 1):
        raise RuntimeError(done.stderr)
    return done.stdout.splitlines()


def _placed(line: str, whats: dict[str, str]) -> str:
    found = FOUND.match(line)
    if found is None or found[1] not in whats:
        return line.removeprefix(f"{ROOT}/")
    text = Path(found[1]).read_text(encoding="utf-8").splitlines()[int(found[2]) - 1].strip()
    return f"{whats[found[1]]}: {found[3]}: {text[:200]}"


def main() -> int:
    logging.disable()
    program = str(BESIDE) if BESIDE.exists() else shutil.which("shellcheck")
    if program is None:
        print(MISSING, file=sys.stderr)  # noqa: T201
        return 1
    scripts = sent()
    found = [*problems(program, scripts, list(in_files())), *unseen(set(scripts.values()))]
    print(*found, sep="\n", end="\n" if found else "", file=sys.stderr)  # noqa: T201
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
