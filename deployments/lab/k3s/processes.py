"""The children of k3s: started, restarted, and gone when k3s is gone, however it went."""

import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from . import journal
from .errors import StartError

_RESTART_S = 2
_STOP_S = 5


@dataclass(eq=False)
class _Child:
    command: list[str]
    essential: bool
    popen: subprocess.Popen[bytes]


@dataclass(frozen=True)
class _Exited:
    name: str
    popen: subprocess.Popen[bytes]


@dataclass(frozen=True)
class _Restart:
    name: str


@dataclass(frozen=True)
class _Start:
    name: str


class Stopped(BaseException):
    """systemd asked us to end; raised in the main thread wherever it is, so that starting can be stopped, too."""


class Supervisor:
    """Owns the children. An essential one that ends takes k3s with it, as all are one process in the real k3s."""

    def __init__(self) -> None:
        self._children: dict[str, _Child] = {}
        self._events: queue.SimpleQueue[_Exited | _Restart | _Start] = queue.SimpleQueue()
        signal.signal(signal.SIGTERM, _raise_stopped)
        signal.signal(signal.SIGINT, _raise_stopped)

    def start(self, name: str, command: list[str], *, essential: bool = False) -> None:
        """Run `command` as `name`. Only the main thread may: a child dies with the thread that started it."""
        journal.info(f"Running {name}")
        popen = subprocess.Popen(_dying_with_us(command), stdin=subprocess.DEVNULL, env=_environment())
        self._children[name] = _Child(command, essential, popen)
        threading.Thread(target=self._wait_for, args=(name, popen), daemon=True).start()

    def restart(self, name: str) -> None:
        """Ask for a restart of `name`; from any thread."""
        self._events.put(_Restart(name))

    def wait_until(self, what: str, holds: Callable[[], bool], timeout_s: float) -> None:
        """Return as soon as `holds()`; the children are looked after meanwhile."""
        deadline = time.monotonic() + timeout_s
        while not holds():
            if time.monotonic() > deadline:
                raise StartError(f"timed out after {timeout_s:.0f} s waiting for {what}")
            self._handle_next(timeout_s=0.2)

    def pause(self, seconds: float) -> None:
        """Do nothing but look after the children for a while."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self._handle_next(timeout_s=left)

    def run(self) -> None:
        """Look after the children until an essential one ends (StartError) or systemd stops us (Stopped)."""
        while True:
            self._handle_next(timeout_s=None)

    def stop(self) -> None:
        """End all children. The API server is killed: like a stopping k3s it leaves its lease to run out."""
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        for child in self._children.values():
            child.popen.send_signal(signal.SIGKILL if child.essential else signal.SIGTERM)
        deadline = time.monotonic() + _STOP_S
        for child in self._children.values():
            try:
                child.popen.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.popen.kill()
                child.popen.wait()

    def _wait_for(self, name: str, popen: subprocess.Popen[bytes]) -> None:
        popen.wait()
        self._events.put(_Exited(name, popen))

    def _handle_next(self, timeout_s: float | None) -> None:
        try:
            event = self._events.get(timeout=timeout_s)
        except queue.Empty:
            return
        child = self._children[event.name]
        if isinstance(event, _Restart):
            child.popen.terminate()
        elif isinstance(event, _Start):
            self.start(event.name, child.command, essential=child.essential)
        elif child.popen is event.popen:
            self._ended(event.name, child)

    def _ended(self, name: str, child: _Child) -> None:
        message = f"{name} exited with {child.popen.returncode}"
        if child.essential:
            raise StartError(message)
        journal.warning(f"{message}; starting it again in {_RESTART_S} s")
        timer = threading.Timer(_RESTART_S, self._events.put, args=(_Start(name),))
        timer.daemon = True
        timer.start()


def _dying_with_us(command: list[str]) -> list[str]:
    """The kernel kills the child when k3s dies, even by kill -9: its port must be free for the next k3s.

    The shell is for a k3s that died before the kernel knew that: its child has another parent by then.
    """
    still_ours = '[ "$PPID" = "$0" ] && exec "$@"'
    return ["setpriv", "--pdeathsig", "KILL", "sh", "-c", still_ours, str(os.getpid()), *command]


def _raise_stopped(_signal: int, _frame: object) -> None:
    raise Stopped


def _environment() -> dict[str, str]:
    """What children inherit: neither the token nor systemd's notify socket is their business."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("K3S_", "NOTIFY_"))}
