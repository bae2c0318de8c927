"""Whether the lab is in its initial state, asked of the machines themselves and of the platform's own doors."""

from __future__ import annotations

import json
import socket
import urllib.request
from collections.abc import Callable

from deployments.lab import images, personality, platform
from deployments.lab.machines import SOURCES, TARGETS, VIP
from deployments.lab.root_shell import asks
from deployments.lab.steps import each

WEB, ORDERS, MYSQL = 30080, 30081, 30306


def missing(since: float = 0) -> str:
    """What keeps the lab from being in its initial state; nothing when it is. Asked cheapest first."""
    questions: list[Callable[[], str]] = [_vip, _etcd, _names, lambda: _new(since), lambda: _old(since)]
    sentences = each(questions, _call)
    return next(filter(None, sentences), "") or _doors()


def _call(ask: Callable[[], str]) -> str:
    return ask()


def _etcd() -> str:
    told = asks(SOURCES[0], "etcdctl endpoint health --cluster -w json 2>/dev/null", timeout=10)
    healthy = {e["endpoint"] for e in _json(told) if e["health"]}
    wanted = {f"http://{m.address}:2379" for m in SOURCES}
    return "" if healthy == wanted else f"etcd has {len(healthy & wanted)} of its 3 healthy members"


def _vip() -> str:
    held = asks(SOURCES[0], "ip -o -4 address show dev eth0")
    return "" if f" {VIP}/" in held else f"virtual address on {SOURCES[0].name}"


def _names() -> str:
    wrong = [m.name for m in TARGETS if asks(m, "hostname").strip() != personality.hostname(m)]
    return f"old hostname on {' '.join(wrong)}" if wrong else ""


def _new(since: float) -> str:
    return platform.missing(SOURCES[0], since, len(SOURCES))


def _old(since: float) -> str:
    return platform.missing(TARGETS[0], since, len(TARGETS))


def _doors() -> str:
    doors = {
        f"http://{VIP}:{WEB}/": ("web", images.NEW),
        f"http://{VIP}:{ORDERS}/": ("orders", images.NEW),
        f"http://{TARGETS[0].address}:{WEB}/": ("web", images.OLD),
    }
    wrong = [url for url, (service, version) in doors.items() if _get(url) != {"service": service, "version": version}]
    if not _greets(VIP, MYSQL):
        wrong.append(f"mysql://{VIP}:{MYSQL}")
    return f"answer of {' '.join(wrong)}" if wrong else ""


def _get(url: str) -> object:
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=2) as response:
            return json.load(response)
    except (OSError, ValueError):
        return None


def _greets(host: str, port: int) -> bool:
    """A MySQL server speaks first."""
    try:
        with socket.create_connection((host, port), timeout=2) as sock:
            return len(sock.recv(5)) == 5
    except OSError:
        return False


def _json(text: str) -> list[dict[str, object]]:
    try:
        loaded: list[dict[str, object]] = json.loads(text)
    except ValueError:
        return []
    return loaded
