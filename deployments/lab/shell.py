"""Commands on this box: run one, keep its output, and fail with what failed, where, and what it printed."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path


class LabError(Exception):
    """What went wrong, on what, and what to type next; printed without a traceback."""


def run(
    *argv: str | Path,
    stdin: str | None = None,
    timeout: float = 300,
    env: Mapping[str, str] | None = None,
    log: Path | None = None,
) -> str:
    """The command's output, or a LabError with its last words. With `log`, everything goes to that file instead."""
    done = attempt(*argv, stdin=stdin, timeout=timeout, env=env, log=log)
    if done.returncode == 0:
        return done.stdout
    said = _tail(log.read_text(errors="replace") if log else done.stderr or done.stdout)
    raise LabError(f"`{_short(argv)}` ended with status {done.returncode}:\n{said}")


def attempt(
    *argv: str | Path,
    stdin: str | None = None,
    timeout: float = 300,
    env: Mapping[str, str] | None = None,
    log: Path | None = None,
) -> subprocess.CompletedProcess[str]:
    """The command's result whatever its exit status; only a missing program or a timeout is an error."""
    if log:
        log.parent.mkdir(parents=True, exist_ok=True)
    sink = log.open("a") if log else None
    try:
        return subprocess.run(
            [str(word) for word in argv],
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            stdout=sink or subprocess.PIPE,
            stderr=subprocess.STDOUT if sink else subprocess.PIPE,
            text=True,
            errors="replace",
            timeout=timeout,
            env=dict(env) if env else None,
            check=False,
        )
    except FileNotFoundError as missing:
        raise LabError(f"`{argv[0]}` is not installed on this box; `lab up` as root installs it") from missing
    except subprocess.TimeoutExpired as late:
        raise LabError(f"`{_short(argv)}` did not end within {timeout:.0f} s") from late
    finally:
        if sink:
            sink.close()


def _short(argv: tuple[str | Path, ...]) -> str:
    line = shlex.join(str(word) for word in argv)
    return line if len(line) < 160 else line[:157] + "..."


def _tail(text: str, lines: int = 15) -> str:
    return "\n".join(f"    {line}" for line in text.strip().splitlines()[-lines:])
