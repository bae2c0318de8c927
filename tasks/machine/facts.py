"""What a machine is like now, asked in one round trip."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from shlex import quote

from blocks.ports import Host
from configs.platform import Platform
from tasks.etcd.flags import SHELL, own_file
from tasks.k3s.flags import SERVER_COMMAND_LINE
from tasks.machine.managed import QUESTIONS as WRITERS
from tasks.machine.managed import Managed, parse_managed
from tasks.machine.remains import QUESTIONS, Remains, parse_remains, prelude
from tasks.machine.versions import Versions
from tasks.shell.k3s_units import UNITS
from tasks.shell.script import facts, parse_facts
from tasks.shell.system import QUESTIONS as SYSTEM
from tasks.shell.system import System, parse_system
from tasks.shell.units import masked_units

# A token says which cluster a machine was to join, its disk which one it has joined; a kubeconfig holds keys: only its CA leaves.
CAS = r"""ca='certificate-authority-data"?: *"?([A-Za-z0-9+/=]+)(.*)'
for d in "${dirs[@]}"; do
    sha256sum "$d/server/tls/server-ca.crt" "$d/agent/server-ca.crt"
    for k in "$d"/agent/*.kubeconfig /etc/rancher/k3s/k3s.yaml; do
        text=''; test ! -f "$k" || IFS= read -rd '' text <"$k"
        while [[ $text =~ $ca ]]; do text=${BASH_REMATCH[2]}; echo "ca ${BASH_REMATCH[1]}"; done
    done
done"""
# Every script needs them, and one that is missing looks like an answer: without pgrep nothing seems to run. What is of coreutils,
# util-linux and systemd is on every machine.
TOOLS = ("awk", "cmp", "find", "getent", "grep", "gzip", "ip", "pgrep", "sed", "tar")
# Where docker keeps images, or containerd for it, and where k3s's files go; each may be a disk of its own. Both functions leave
# their answer in `place`.
ROOM = r"""nearest() { place=$1; until test -e "$place/"; do place=${place%/*}; done; place=${place:-/}; }
images_in() {
    local said version
    said=$(timeout 20 docker info -f $'{{.DockerRootDir}}\n{{.ServerVersion}}\n{{.DriverStatus}}')
    version=${said#*$'\n'}; echo "docker ${version%%$'\n'*}"
    if [[ $said == *io.containerd.snapshotter* ]]; then
        place=$(containerd config dump | sed -nE "s/^root = [\"'](.*)[\"']$/\1/p" | head -n 1)
        test -n "$place" || nearest /var/lib/containerd
    else
        place=${said%%$'\n'*}
        test -n "$place" || nearest "$(docker_root)"
    fi
}
room() {
    local free='' device=''
    { read -r _; read -r free; } < <(df --output=avail -B1 "$1")
    nearest "$1"; read -r device < <(stat -c %d "$place")
    echo "$free $device $1"
}
images_in; room "$place"
nearest /var/lib/rancher/k3s; room "$place" """
# A bundle's binary may not be executable yet, or lie where nothing may be executed: then a copy answers.
VERSION_OF = r"""version_of() {
    test -e "$1" || return
    timeout 20 "$1" --version </dev/null && return
    for d in /run /tmp /var/tmp /root; do
        d=$(mktemp -d $d/evenkeel.XXXXXX) || continue
        install -m 0755 "$1" "$d/k3s" && said=$(timeout 20 "$d/k3s" --version </dev/null)
        rm -rf "$d"
        test -z "$said" || { echo "$said"; return; }
    done
}
"""
HASHES = re.compile(r"^[0-9a-f]{64}\b", re.MULTILINE)
ROOMS = re.compile(r"^ *(\d+) (\d*) (.+)$", re.MULTILINE)
DOCKER = re.compile(r"^docker (\S+)$", re.MULTILINE)
AUTHORITIES = re.compile(r"^ca (\S+)$", re.MULTILINE)
SIZES = re.compile(r"^(\d+)\t(.+)$", re.MULTILINE)  # as du prints them
STAGED = re.compile(r"^staged (.+)$", re.MULTILINE)
CLUSTER = re.compile(r'"cluster_id": *"([0-9]+)"')
_STATUS = r'POST /$1/maintenance/status HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}'


@dataclass(frozen=True)
class Room:
    """Free space below a folder."""

    free_bytes: int
    device: str
    """The file system's number."""
    folder: str


@dataclass(frozen=True)
class HostFacts:
    """A machine as it is now."""

    hostname: str
    clock: datetime
    uid: int
    rooms: tuple[Room, ...]
    """Where docker keeps images, and where k3s's files go."""
    bundle_bytes: int
    staged_bytes: int
    """That part of the bundle which is copied, and not loaded by docker."""
    missing_files: tuple[str, ...]
    missing_commands: tuple[str, ...]
    has_helm: bool
    brings: Versions
    """What would join from here: the etcd that is installed and the k3s of the bundle."""
    k3s_cas: frozenset[str]
    """SHA-256 of every CA that its k3s has on its disk."""
    etcd_cluster: str
    """Id of the cluster of the etcd that answers on the machine itself; empty when none does."""
    k3s_server: str
    """The command line of the server that is installed there."""
    remains: Remains
    docker_active: bool
    masked: tuple[str, ...]
    """Of the units that are started on targets."""
    addresses: tuple[str, ...]
    interfaces: tuple[str, ...]
    has_default_route: bool
    has_br_netfilter: bool
    managed: Managed
    system: System
    docker: str
    """Its version; empty where it does not answer."""


def _etcd_cluster(addresses: tuple[str, ...], port: int, *, tls: bool) -> str:
    """The command for a fact, without curl: etcd before 3.4 answers at v3beta. By TLS it is asked with its own certificate."""
    connect = f'exec 3<>/dev/tcp/$0/{port}; printf "{_STATUS}" >&3; cat <&3'
    if tls:
        own = " ".join(f"-{name} $({own_file(name)})" for name in ("cert", "key"))
        connect = f'{SHELL}printf "{_STATUS}" | openssl s_client -quiet -connect $0:{port} {own}'
    each = f"for a in {' '.join(addresses)}; do for v in v3 v3beta"
    return f'{each}; do timeout 3 bash -c {quote(connect)} "$a" "$v"; done; done'


def fact_script(platform: Platform, address: str) -> str:
    """All questions of `HostFacts`, for one round trip."""
    k3s = platform.k3s
    files = [f"{k3s.bundle}/{name}" for name in ("vendor/k3s", "vendor/install-k3s.sh", k3s.airgap_images, *k3s.images)]
    commands = ["docker", "keepalived", platform.etcd.binary, "base64", "hostnamectl", *TOOLS]
    listed, staged = (" ".join(map(quote, some)) for some in (files, (files[0], files[2])))
    return UNITS + prelude(platform) + VERSION_OF + facts(
        {
            "hostname": "uname -n",  # a minimal system has no `hostname`
            "clock": "date +%s.%N",
            "uid": "id -u",
            "rooms": ROOM,
            "bundle": f"du -sb {listed}; printf 'staged %s\\n' {staged}",
            "missing": f'for f in {listed}; do test -s "$f" || echo "$f"; done',
            "commands": f'for c in {" ".join(map(quote, commands))}; do command -v "$c" >/dev/null || echo "$c"; done',
            "helm": "command -v helm",
            "etcd_version": f"{quote(platform.etcd.binary)} --version",
            "k3s_version": f"version_of {quote(k3s.bundle)}/vendor/k3s",
            "cas": CAS,
            "etcd_cluster": _etcd_cluster(("127.0.0.1", address), platform.etcd.client_port, tls=platform.etcd.tls is not None),
            "server": SERVER_COMMAND_LINE,
            "docker": "systemctl is-active docker",
            "masked": masked_units(("docker", "keepalived")),
            **QUESTIONS,
            **WRITERS,
            "addresses": "ip -4 -o addr show",
            "route": "ip -4 route show default; ip -6 route show default",
            "br_netfilter": "{ test -e /proc/sys/net/bridge || modprobe -n br_netfilter; } && echo yes",
            **SYSTEM,
        }
    )


def parse_host_facts(output: str) -> HostFacts:
    """What a machine answered to `fact_script`."""
    said = parse_facts(output)
    sizes = {path: int(size) for size, path in SIZES.findall(said["bundle"])}
    interfaces = [line.split()[1:4:2] for line in said["addresses"].splitlines()]
    cluster = CLUSTER.search(said["etcd_cluster"])
    return HostFacts(
        hostname=said["hostname"],
        clock=datetime.fromtimestamp(float(said["clock"]), UTC),
        uid=int(said["uid"]),
        rooms=tuple(Room(int(free), device, folder) for free, device, folder in ROOMS.findall(said["rooms"])),
        bundle_bytes=sum(sizes.values()),
        staged_bytes=sum(sizes.get(path, 0) for path in STAGED.findall(said["bundle"])),
        missing_files=tuple(said["missing"].splitlines()),
        missing_commands=tuple(said["commands"].splitlines()),
        has_helm=bool(said["helm"]),
        brings=Versions(said["etcd_version"], said["k3s_version"]),
        k3s_cas=frozenset({*HASHES.findall(said["cas"]), *map(_sha256, AUTHORITIES.findall(said["cas"]))} - {""}),
        etcd_cluster=cluster[1] if cluster else "",
        k3s_server=said["server"].strip(),
        remains=parse_remains(said),
        docker_active=said["docker"] == "active",
        masked=tuple(said["masked"].splitlines()),
        addresses=tuple(address.partition("/")[0] for _, address in interfaces),
        interfaces=tuple(interface for interface, _ in interfaces),
        has_default_route=bool(said["route"]),
        has_br_netfilter=bool(said["br_netfilter"]),
        managed=parse_managed(said),
        system=parse_system(said),
        docker="".join(DOCKER.findall(said["rooms"])),
    )


def _sha256(certificate: str) -> str:
    """Of a certificate as a kubeconfig has it; empty when it can't be read."""
    try:
        return hashlib.sha256(base64.b64decode(certificate)).hexdigest()
    except ValueError:
        return ""


def read_host_facts(host: Host, platform: Platform) -> HostFacts:
    """The machine as it is now, in one round trip."""
    script = fact_script(platform, str(host.address))
    result = host.run(script, what="reading the machine's facts", timeout_s=platform.timeouts.command_s)
    return parse_host_facts(result.stdout)
