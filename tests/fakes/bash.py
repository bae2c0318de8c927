"""Bashes that have read the stand-ins and live on: each script gets a fork of one. Starting bash takes longer than most scripts do."""

from __future__ import annotations

import atexit
import os
import re
import select
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from queue import Empty, LifoQueue
from typing import BinaryIO

from blocks.ssh_shell import PROGRAM
from tasks.machine.facts import TOOLS

STANDINS = Path(__file__).with_name("machine.sh")
USUAL_FOLDERS = re.compile(r"PATH=\$PATH:\S+")  # those of this machine
EVERYWHERE = """
    base64 basename bash cat chmod chown cksum cp cut date dd df dirname du env head id install ln ls md5sum mkdir mktemp mv od paste
    printf readlink realpath rm rmdir seq sh sha256sum sleep sort stat sync tac tail tee test timeout touch tr true truncate uname
    uniq wc
"""
# What is asked for is five lines: where to read the script, where to write, where to complain, the root, and the script's mark.
LOOP = r"""
. "$1"
while mapfile -t -n 5 ask && test ${#ask[@]} = 5; do
    (exec <"${ask[0]}" >"${ask[1]}" 2>"${ask[2]}"; be_at "${ask[3]}"; set -- "${ask[4]}" "$2"; unset ask; eval "$2")
    echo "$?"
done
"""
LONGEST_S = 60
OTHER_BASH = "TEST_BASH"  # the path of one that is not this machine's, to try all scripts with it


@cache
def programs() -> Path:
    """What a machine has: bash, coreutils, and what preflight asks for. For a script that needs more, bash says so, and the test fails."""
    folder = Path(tempfile.mkdtemp(prefix="evenkeel-programs-"))
    atexit.register(shutil.rmtree, folder)
    for name in (*EVERYWHERE.split(), *TOOLS):
        other = os.environ.get(OTHER_BASH) if name == "bash" else None
        if (found := other or shutil.which(name, path="/usr/bin:/bin:/usr/sbin:/sbin")) is not None:
            (folder / name).symlink_to(found)
    return folder


class Bash:
    """One that lives until this process ends, and runs one script at a time."""

    def __init__(self) -> None:
        environment = {"PATH": str(programs()), "LC_ALL": "C", "BASH_ENV": str(STANDINS)}
        command = ["bash", "--norc", "-c", LOOP, "fake", str(STANDINS), USUAL_FOLDERS.sub("PATH=$PATH", PROGRAM)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, bufsize=0)
        atexit.register(self._end)

    def run(self, script: bytes, root: Path, mark: str) -> tuple[int, str, str]:
        """Exit code, and what was printed. Files in memory: bash reads a pipe byte by byte, and a reader wakes up for each line."""
        assert self._process.stdin is not None and self._process.stdout is not None
        with _memory() as asked, _memory() as said, _memory() as complained:
            asked.write(script)
            asked.flush()
            paths = (f"/proc/{os.getpid()}/fd/{file.fileno()}" for file in (asked, said, complained))
            self._process.stdin.write("".join(f"{line}\n" for line in (*paths, root, mark)).encode())
            ready, _, _ = select.select([self._process.stdout], [], [], LONGEST_S)
            if not ready:
                self._process.kill()
                raise TimeoutError(f"not done within {LONGEST_S} s: {script.decode()}")
            code = int(self._process.stdout.readline())
            return code, said.read().decode(errors="replace"), complained.read().decode(errors="replace")

    def _end(self) -> None:
        self._process.communicate()


IDLE: LifoQueue[Bash] = LifoQueue()


def run(script: bytes, root: Path, mark: str) -> tuple[int, str, str]:
    """See Bash.run; by one that has nothing to do."""
    try:
        bash = IDLE.get_nowait()
    except Empty:
        bash = Bash()
    answer = bash.run(script, root, mark)
    IDLE.put(bash)
    return answer


def _memory() -> BinaryIO:
    return os.fdopen(os.memfd_create("evenkeel"), "w+b")
