"""No child outlives k3s."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

PROGRAM = """
from deployments.lab.k3s.processes import Stopped, Supervisor
supervisor = Supervisor()
supervisor.start("child", ["sleep", "{seconds}"])
print(supervisor._children["child"].popen.pid, flush=True)
try:
    supervisor.run()
except Stopped:
    supervisor.stop()
"""


def _start(seconds=60):
    command = [sys.executable, "-c", PROGRAM.format(seconds=seconds)]
    parent = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    return parent, int(parent.stdout.readline())


def _gone(pid, timeout_s=5):
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":  # dead, but not reaped yet
            return True
        time.sleep(0.05)
    return False


def _wait_for_exec(pid):
    deadline = time.monotonic() + 5
    while Path(f"/proc/{pid}/comm").read_text().strip() != "sleep" and time.monotonic() < deadline:
        time.sleep(0.02)


def _wait_for_handler(pid):
    """The child's id is printed before the parent handles SIGTERM; /proc shows when it does."""
    deadline = time.monotonic() + 5
    listens = False
    while not listens and time.monotonic() < deadline:
        status = Path(f"/proc/{pid}/status").read_text()
        caught = next(line.split()[1] for line in status.splitlines() if line.startswith("SigCgt"))
        listens = bool(int(caught, 16) >> (signal.SIGTERM - 1) & 1)
        time.sleep(0.02)


def test_a_killed_k3s_takes_its_children_along():
    parent, child = _start()
    _wait_for_exec(child)
    parent.kill()
    parent.communicate()
    assert _gone(child)


def test_a_k3s_killed_at_once_leaves_no_child_either():
    for _ in range(10):
        parent, child = _start()
        parent.kill()
        parent.communicate()
        assert _gone(child)


def test_a_stopped_k3s_ends_its_children():
    parent, child = _start()
    _wait_for_handler(parent.pid)
    parent.send_signal(signal.SIGTERM)
    parent.communicate(timeout=10)
    assert parent.returncode == 0
    assert _gone(child)


def test_a_child_that_ends_is_started_again():
    parent, child = _start()
    _wait_for_exec(child)
    os.kill(child, signal.SIGKILL)
    lines = [parent.stderr.readline() for _ in range(3)]
    parent.kill()
    parent.communicate()
    assert "exited with -9; starting it again" in lines[1]
    assert "Running child" in lines[2]
