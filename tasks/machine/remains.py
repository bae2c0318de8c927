"""What is left of an old platform on a machine: one question, which the probe and the verification of the uninstall share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass
from shlex import quote

from configs.platform import Platform
from tasks.k3s.flags import DATA_DIRS
from tasks.shell.units import unit_state

KUBELETS = "k8s_"  # how the kubelet names its containers in docker
# A bundle that was staged for the join is no remains: the binary that is the bundle's own, and images in agent/images.
_FUNCTIONS = rf"""{DATA_DIRS}
there() {{ local f; for f; do test ! -e "$f" && test ! -L "$f" || echo "$f"; done; }}
units() {{ local f; for f in /etc/systemd/system/k3s*.service; do test ! -e "$f" && test ! -L "$f" || echo "${{f##*/}}"; done; }}
uninstallers() {{ there /usr/local/bin/k3s*-uninstall.sh; }}
processes() {{ pgrep -xl 'k3s.*|kubelet|kube-.*'; pgrep -fl '/data/[0-9a-f]{{64}}/bin/containerd-shim'; }}
has_any() {{ {{ test -e "$1" || test -L "$1"; }} && test -n "$(find "$@" -print -quit 2>/dev/null)"; }}
paths() {{
    there /etc/rancher/k3s /run/flannel /run/k3s
    cmp -s /usr/local/bin/k3s "$bundled" || there /usr/local/bin/k3s
    has_any /var/lib/kubelet/ -mindepth 1 ! -name lost+found && echo /var/lib/kubelet
    for d in "${{dirs[@]}}"; do
        has_any "$d/agent" ! -path "$d/agent" ! -path "$d/agent/images*" && echo "$d/agent"
        there "$d/data" "$d/server" "$d/storage"
    done
    there /sys/class/net/cni0 /sys/class/net/flannel.1
}}
mounts() {{
    local real
    set -- "${{dirs[@]}}" "${{kubelets[@]}}" /run/k3s /run/flannel
    mapfile -t real < <(readlink -f "$@")
    awk 'BEGIN {{for (i = 1; i < ARGC - 1; i++) {{below[ARGV[i] "/"]; delete ARGV[i]}}}}
        {{for (d in below) if (index($2, d) == 1) {{print $2, $3; next}}}}' "$@" "${{real[@]}}" /proc/mounts
}}
docker_root() {{
    local root; root=$(sed -nE 's/.*"(data-root|graph)" *: *"([^"]+)".*/\2/p' /etc/docker/daemon.json | head -n 1)
    echo "${{root:-/var/lib/docker}}"
}}
containers() {{
    if systemctl is-active docker >/dev/null; then docker ps -a --format '{{{{.Names}}}}'
    else ls "$(docker_root)/containers" | cut -c1-12; fi
}}
others() {{
    local name
    while read -r name; do
        test -z "$name" || [[ " ${{kept[*]}} " == *" -e $name "* ]] || echo "$name"
    done < <(containers)
}}
"""
STARTS = ("active", "activating", "deactivating", "enabled")  # what systemd says of a unit that runs, or will
QUESTIONS = {
    "units": "units",
    "uninstallers": "uninstallers",
    "processes": "processes",
    "paths": "paths",
    "mounts": "mounts",
    "containers": "others",
    "etcd": unit_state("etcd"),
    "kept": 'test ${#kept[@]} = 0 || containers | grep -xF "${kept[@]}"',
}


@dataclass(frozen=True)
class Remains:
    """What an uninstall has to remove, each as a line."""

    units: tuple[str, ...]
    """Every k3s*.service, also one with a name of its own."""
    uninstallers: tuple[str, ...]
    processes: tuple[str, ...]
    paths: tuple[str, ...]
    """Files, folders that are not empty, and network links."""
    mounts: tuple[str, ...]
    """What is mounted below the kubelet's and k3s's folders, with its kind; not what is mounted exactly there."""
    containers: tuple[str, ...]
    etcd: tuple[str, ...]

    def __bool__(self) -> bool:
        return any(astuple(self))

    def __str__(self) -> str:
        """In a few words, for a plan and a report."""
        pods = sum(name.startswith(KUBELETS) for name in self.containers)
        others = sorted(name for name in self.containers if not name.startswith(KUBELETS))
        k3s = self.uninstallers or self.processes or self.paths
        return "; ".join(
            filter(
                None,
                (
                    ", ".join(self.units) or ("remains of k3s" if k3s else "no k3s"),
                    f"{pods} pod containers, {len(others)} other containers" + (f" ({', '.join(others)})" if others else ""),
                    f"{len(self.mounts)} mounts" if self.mounts else "",
                    ", ".join(self.paths),
                    "its own etcd" if self.etcd else "",
                ),
            )
        )

    @property
    def listed(self) -> str:
        """Everything by name."""
        kinds = zip(("units", "uninstallers", "processes", "paths", "mounts", "containers", "etcd"), astuple(self), strict=True)
        return "; ".join(f"{kind}: {', '.join(lines)}" for kind, lines in kinds if lines)


def prelude(platform: Platform) -> str:
    """Shell: the functions that `QUESTIONS`, and the uninstall, consist of."""
    kept = " ".join(f"-e {quote(name)}" for name in platform.uninstall.keep_containers)
    return f"{_FUNCTIONS}bundled={quote(platform.k3s.bundle)}/vendor/k3s\nkept=({kept})\n"


def parse_remains(said: Mapping[str, str]) -> Remains:
    """What a machine answered to `QUESTIONS`."""
    lines = {name: tuple(said[name].splitlines()) for name in QUESTIONS if name != "kept"}
    return Remains(**{**lines, "etcd": tuple(word for word in lines["etcd"] if word in STARTS)})
