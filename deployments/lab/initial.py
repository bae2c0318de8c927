"""Whether the lab is in its initial state, as seen from this box through the platform's own ports.

The questions are cheap on purpose: they are asked again and again while nine machines boot on two cores.
"""

from __future__ import annotations

import json
import socket
import urllib.request

from deployments.lab import cache, etcd_tls, images, lake, network, personality, platform
from deployments.lab.machines import MACHINES, SOURCES, TARGETS, VIP

PROBES = 5
WEB, ORDERS, MYSQL = 30080, 30081, 30306
ETCD_NAMES = {f"etcd-node-{n}" for n in range(1, len(SOURCES) + 1)}


def missing(since: float = 0) -> str:
    """What keeps the lab from being in its initial state; empty when it is. Stops at the first problem."""
    return (
        _etcd()
        or platform.missing(SOURCES[0], since, len(SOURCES))
        or platform.missing(TARGETS[0], since, len(TARGETS))
        or _vip()
        or lake.missing()
        or _names()
        or _services()
    )


def is_healthy(said: object) -> bool:
    """Whether etcd says so on its page /health, which has had a reason, too, since 3.5."""
    return isinstance(said, dict) and said.get("health") == "true"


def _etcd() -> str:
    urls = {m: f"{etcd_tls.scheme()}://{m.address}:2379" for m in SOURCES}
    healthy = [m for m in SOURCES if is_healthy(_get(f"{urls[m]}/health"))]
    if len(healthy) < len(SOURCES):
        return f"etcd has {len(healthy)} of its {len(SOURCES)} healthy members"
    listed = _get(f"{urls[SOURCES[0]]}/v3/cluster/member/list", {})
    names = {member.get("name", "") for member in listed["members"]} if isinstance(listed, dict) else set[str]()
    return "" if names == ETCD_NAMES else f"etcd has members {sorted(names)}"


def _vip() -> str:
    holders = [m.name for m in MACHINES if VIP in network.addresses(m)]
    return "" if holders == [SOURCES[0].name] else f"virtual address on {SOURCES[0].name}, not {holders}"


def _names() -> str:
    files = {m: cache.disk(m) / "merged/etc/hostname" for m in MACHINES}
    wrong = [m.name for m, file in files.items() if not file.exists() or file.read_text().strip() != personality.hostname(m)]
    return f"hostname of {' '.join(wrong)}" if wrong else ""


def _services() -> str:
    services = {
        f"http://{VIP}:{WEB}/": ("web", images.NEW),
        f"http://{VIP}:{ORDERS}/": ("orders", images.NEW),
        f"http://{TARGETS[0].address}:{WEB}/": ("web", images.OLD),
    }
    wanted = {url: {"service": service, "version": version} for url, (service, version) in services.items()}
    # Several probes: a stale rule that still leads to a pod from before the reset is hit only now and then.
    wrong = [url for url, answer in wanted.items() if any(_get(url) != answer for _ in range(PROBES))]
    if not _greets(VIP, MYSQL):
        wrong.append(f"mysql://{VIP}:{MYSQL}")
    return f"answer of {' '.join(wrong)}" if wrong else ""


def _get(url: str, body: dict[str, str] | None = None) -> object:
    """The JSON at the URL (by POST if there is a body), or None. No proxy is used."""
    data = None if body is None else json.dumps(body).encode()
    handlers = urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=etcd_tls.context())
    try:
        with urllib.request.build_opener(*handlers).open(url, data, timeout=2) as response:
            return json.load(response)
    except (OSError, ValueError):
        return None


def _greets(host: str, port: int) -> bool:
    """Whether a MySQL server sends its greeting."""
    try:
        with socket.create_connection((host, port), timeout=2) as sock:
            return len(sock.recv(5)) == 5
    except OSError:
        return False
