"""Slow and lossy cables: what each machine sends takes 100 ms, and one frame in a hundred is lost.

`tc netem` would do it, but the kernel of a small box often lacks it. So each cable goes through this process:
machine - cable - relay - second cable - bridge. The relay ends when the second cables are taken away.
"""

from __future__ import annotations

import heapq
import random
import selectors
import socket
import subprocess
import sys
import time
from itertools import count
from pathlib import Path

from deployments.lab import network
from deployments.lab.machines import MACHINES, Machine
from deployments.lab.shell import run

DELAY_S = 0.1
LOSS = 0.01
LARGEST = 70000  # a frame before segmentation, with its header
SOL_PACKET, PACKET_VNET_HDR, PACKET_IGNORE_OUTGOING, ETH_P_ALL = 263, 15, 23, 3


def inject(machines: list[Machine]) -> None:
    """Their cables are slow; those that already are stay as they are."""
    new = [machine for machine in machines if not _exists(_near(machine))]
    for machine in new:
        run("ip", "link", "add", _near(machine), "type", "veth", "peer", "name", _far(machine))
        run("ip", "link", "set", _far(machine), "master", network.BRIDGE, "up")
        run("ip", "link", "set", _near(machine), "up")
        run("ip", "link", "set", machine.container, "nomaster")
    if new:
        command = [sys.executable, "-m", "deployments.lab.slow", *(machine.name for machine in new)]
        null = subprocess.DEVNULL
        subprocess.Popen(command, stdin=null, stdout=null, stderr=null, start_new_session=True)


def heal() -> None:
    """Every cable is plugged straight into the bridge."""
    for machine in MACHINES:
        if _exists(_near(machine)):
            run("ip", "link", "delete", _near(machine))
        if _exists(machine.container):
            run("ip", "link", "set", machine.container, "master", network.BRIDGE)


def relay(machines: list[Machine]) -> None:
    """Carry frames until the cables are gone."""
    selector = selectors.DefaultSelector()
    for machine in machines:
        cable, second = _socket(machine.container), _socket(_near(machine))
        selector.register(cable, selectors.EVENT_READ, (second, DELAY_S))
        selector.register(second, selectors.EVENT_READ, (cable, 0.0))
    waiting: list[tuple[float, int, socket.socket, bytes]] = []
    order = count()
    while selector.get_map():
        left = max(0.0, waiting[0][0] - time.monotonic()) if waiting else None
        for key, _ in selector.select(left):
            to, delay_s = key.data
            try:
                frame = key.fileobj.recv(LARGEST)  # type: ignore[union-attr]  # only sockets are registered
            except OSError:
                selector.unregister(key.fileobj)  # the cable has been taken away
                continue
            if not delay_s:
                _send(to, frame)
            elif random.random() >= LOSS:  # noqa: S311 - loss needs no secrecy
                heapq.heappush(waiting, (time.monotonic() + delay_s, next(order), to, frame))
        while waiting and waiting[0][0] <= time.monotonic():
            _, _, to, frame = heapq.heappop(waiting)
            _send(to, frame)


def _send(to: socket.socket, frame: bytes) -> None:
    try:
        to.send(frame)
    except OSError:
        return  # the queue is full, or the other cable gone: that frame is lost, as on a real cable


def _socket(device: str) -> socket.socket:
    """Whole frames of that device, with what the kernel has not yet done to them: checksums, segments."""
    opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    opened.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
    opened.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**23)
    opened.bind((device, 0))
    return opened


def _near(machine: Machine) -> str:
    return f"slow-{machine.name}"


def _far(machine: Machine) -> str:
    return f"slow-{machine.name}-b"


def _exists(device: str) -> bool:
    return Path(f"/sys/class/net/{device}").exists()


if __name__ == "__main__":
    relay([machine for machine in MACHINES if machine.name in sys.argv[1:]])
