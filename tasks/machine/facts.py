"""What a machine is like now, asked in one round trip."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from shlex import quote

from blocks.ports import Host
from configs.platform import Platform
from tasks.k3s.flags import SERVER_COMMAND_LINE
from tasks.machine.versions import Versions
from tasks.shell.script import facts, parse_facts

K3S_UNITS = ("k3s", "k3s-agent")
# Only the part that names the CA; the rest of a token is a secret and stays on its machine.
ENVS = "/etc/systemd/system/k3s.service.env /etc/systemd/system/k3s-agent.service.env"
OWN_CA = rf"sed -nE 's/^K3S_TOKEN=.?K10([0-9a-f]{{64}})::.*/\1/p' {ENVS}"
DATA_MOUNTS = r"""awk '$2 ~ "^/var/lib/(kubelet|rancher)/" && $3 !~ "^(tmpfs|overlay|proc|sysfs|nsfs)$" {print $2, $3}' /proc/mounts"""


@dataclass(frozen=True)
class HostFacts:
    """A machine as it is now."""

    hostname: str
    clock: datetime
    uid: int
    free_bytes: int
    bundle_bytes: int
    missing_files: tuple[str, ...]
    missing_commands: tuple[str, ...]
    has_helm: bool
    brings: Versions
    """What would join from here: the etcd that is installed and the k3s of the bundle."""
    k3s_units: tuple[str, ...]
    """k3s units whose file exists."""
    k3s_ca: str
    """SHA-256 of the CA in the token of the machine's k3s; empty without one."""
    k3s_server: str
    """The command line of the server that is installed there."""
    uninstallers: tuple[str, ...]
    containers: tuple[str, ...]
    mounts: tuple[str, ...]
    """Mounts below the kubelet's and k3s's folders that are not in memory, with their types: somebody's data."""
    etcd_active: bool
    docker_active: bool
    addresses: tuple[str, ...]
    interfaces: tuple[str, ...]

    @property
    def has_k3s(self) -> bool:
        return bool(self.k3s_units or self.uninstallers)


def fact_script(platform: Platform) -> str:
    """All questions of `HostFacts`, for one round trip."""
    k3s = platform.k3s
    files = [f"{k3s.bundle}/{name}" for name in ("vendor/k3s", "vendor/install-k3s.sh", k3s.airgap_images, *k3s.images)]
    commands = ["docker", "keepalived", platform.etcd.binary, "base64", "hostnamectl"]
    listed = " ".join(map(quote, files))
    return facts(
        {
            "hostname": "hostname",
            "clock": "date +%s.%N",
            "uid": "id -u",
            "free": f"df --output=avail -B1 /var/lib | tail -n1; du -scb {listed} | tail -n1 | cut -f1",
            "missing": f'for f in {listed}; do test -s "$f" || echo "$f"; done',
            "commands": f'for c in {" ".join(map(quote, commands))}; do command -v "$c" >/dev/null || echo "$c"; done',
            "helm": "command -v helm",
            "etcd_version": f"{quote(platform.etcd.binary)} --version",
            "k3s_version": f"{quote(k3s.bundle)}/vendor/k3s --version",
            "units": "".join(f"test ! -e /etc/systemd/system/{unit}.service || echo {unit};" for unit in K3S_UNITS),
            "ca": OWN_CA,
            "server": SERVER_COMMAND_LINE,
            "uninstallers": "ls /usr/local/bin/k3s-uninstall.sh /usr/local/bin/k3s-agent-uninstall.sh",
            "containers": "docker ps -a --format '{{.Names}}'",
            "mounts": DATA_MOUNTS,
            "etcd": "systemctl is-active etcd",
            "docker": "systemctl is-active docker",
            "addresses": "ip -4 -o addr show | awk '{print $2, $4}'",
        }
    )


def parse_host_facts(output: str) -> HostFacts:
    """What a machine answered to `fact_script`."""
    said = parse_facts(output)
    free, bundle = [*said["free"].split(), "0", "0"][:2]
    interfaces = [line.split() for line in said["addresses"].splitlines()]
    return HostFacts(
        hostname=said["hostname"],
        clock=datetime.fromtimestamp(float(said["clock"]), UTC),
        uid=int(said["uid"]),
        free_bytes=int(free),
        bundle_bytes=int(bundle),
        missing_files=tuple(said["missing"].splitlines()),
        missing_commands=tuple(said["commands"].splitlines()),
        has_helm=bool(said["helm"]),
        brings=Versions(said["etcd_version"], said["k3s_version"]),
        k3s_units=tuple(said["units"].split()),
        k3s_ca=said["ca"].split("\n")[0],
        k3s_server=said["server"].strip(),
        uninstallers=tuple(said["uninstallers"].splitlines()),
        containers=tuple(said["containers"].splitlines()),
        mounts=tuple(said["mounts"].splitlines()),
        etcd_active=said["etcd"] == "active",
        docker_active=said["docker"] == "active",
        addresses=tuple(address.partition("/")[0] for _, address in interfaces),
        interfaces=tuple(interface for interface, _ in interfaces),
    )


def read_host_facts(host: Host, platform: Platform) -> HostFacts:
    """The machine as it is now, in one round trip."""
    result = host.run(fact_script(platform), what="reading the machine's facts", timeout_s=platform.timeouts.command_s)
    return parse_host_facts(result.stdout)
