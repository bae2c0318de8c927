"""Where a secret could be seen: every process's arguments while a run goes on, and what it leaves behind."""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from deployments import orchestrator
from tests.lab import world
from tests.lab.watcher import Watcher

PACE_S = 0.05
LOOKS = 3  # at each process: it is born as a copy of its parent, and has its own arguments a moment later

# A daemon's own configuration, mode 0600, is where its secret has to be.
OWN = ("/etc/keepalived/keepalived.conf", "/etc/systemd/system/k3s", "/var/lib/rancher/", "/etc/rancher/")


class Arguments(Watcher):
    """All command lines that were seen on this box, and so on its machines, whose processes are its own."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()
        self._looks: Counter[str] = Counter()

    def watch(self) -> None:
        while not self.ended.wait(PACE_S):
            for process in Path("/proc").glob("[0-9]*"):
                self._looks[process.name] += 1
                if self._looks[process.name] > LOOKS:
                    continue
                try:
                    said = (process / "cmdline").read_bytes()
                except OSError:
                    continue
                self.seen.add(said.replace(b"\0", b" ").decode(errors="replace"))


def left_behind(values: Iterable[str]) -> list[str]:
    """Files of Prefect and of the reports that contain one of the values."""
    return [
        path
        for value in values
        for path in subprocess.run(
            ["grep", "-rlaF", "-e", value, orchestrator.RUN, world.ROOT / "reports"], capture_output=True, text=True, check=False
        ).stdout.split()
    ]


def on_disk(host: str, values: Iterable[str]) -> list[str]:
    """Files on a machine, apart from daemons' own configuration, that contain one of the values."""
    patterns = "\n".join(values)
    folders = "/etc /root /tmp /var/tmp /var/log /opt /usr/local /var/lib/rancher /var/lib/kubelet/pods"
    found = world.on(host, f"grep -rlaF -f /dev/stdin {folders} 2>/dev/null <<'END'\n{patterns}\nEND", check=False).split()
    return [path for path in found if not path.startswith(OWN) and "kubernetes.io~secret" not in path]
