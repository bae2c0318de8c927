"""What still names a source: on the targets, and in the cluster. Reading is apart from judging; judging is pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from blocks.ports import Host, KubeApi
from configs.hosts import Machine
from configs.platform import Platform
from tasks.scripts import parse_facts, tell

# Where a target's daemons have their addresses from. The value of a token is cut out before it leaves the machine.
FILES = (
    "/etc/systemd/system/k3s.service",
    "/etc/systemd/system/k3s.service.env",
    "/etc/systemd/system/k3s-agent.service",
    "/etc/systemd/system/k3s-agent.service.env",
    "/etc/keepalived/keepalived.conf",
    "/root/.kube/config",
    "/etc/fstab",
    "/etc/rancher/k3s/k3s.yaml",
    "/etc/rancher/k3s/config.yaml",
)
CUT = r"sed -E 's/K10[0-9a-f]{64}::.*/K10.../; s/([Tt][Oo][Kk][Ee][Nn][:= ]+|auth_pass +|-data: ).*/\1.../'"
DAEMONS = ("/etc/systemd/system/k3s", "/etc/rancher/", "/etc/keepalived/")


@dataclass(frozen=True)
class Residue:
    """One place that names a source. A `hard` one breaks when the source is switched off."""

    where: str
    line: str
    hard: bool

    def __str__(self) -> str:
        return f"{self.where}: {self.line}"


def read_daemon_files(host: Host, *, timeout_s: float) -> dict[str, str]:
    """The daemons' configuration on a target, without secrets."""
    script = "".join(tell(path, f"test ! -f {path} || {CUT} {path}") for path in FILES)
    return parse_facts(host.run(script, what="looking for source addresses", timeout_s=timeout_s).stdout)


def in_files(host: str, files: Mapping[str, str], source: Machine) -> list[Residue]:
    """Lines of a target's files that name the source's address."""
    address = _whole(str(source.address))
    return [
        Residue(f"{host}:{path}", _around(line, address), hard=path.startswith(DAEMONS))
        for path, text in files.items()
        for line in text.splitlines()
        if address.search(line)
    ]


def in_cluster(manifests: Mapping[str, str], source: Machine) -> list[Residue]:
    """Objects that name the source's address or, as a node to run on, its name.

    Endpoints that controllers keep are left out: they follow the pods and the API servers by themselves.
    """
    address, name = _whole(str(source.address)), f'"{source.name}"'
    found = []
    for what, text in manifests.items():
        manifest = json.loads(text)
        if what.startswith("Endpoints "):
            manual = "endpoints.kubernetes.io/last-change-trigger-time" not in manifest["metadata"].get(
                "annotations", {}
            )
            if (
                what == "Endpoints default/kubernetes"
                or not manual
                or manifest["metadata"].get("labels", {}).get("endpoints.kubernetes.io/managed-by")
            ):
                continue
        manifest.pop("status", None)
        body = json.dumps(manifest)
        if address.search(body):
            found.append(Residue(what, _around(body, address), hard=what.startswith("Endpoints ")))
        elif name in json.dumps(_placement(manifest)):
            found.append(Residue(what, f"is bound to node {source.name}", hard=True))
    return found


def read_residues(targets: Iterable[Host], kube: KubeApi, platform: Platform, source: Machine) -> list[Residue]:
    """Everything that still names `source`, except the source itself."""
    files = {host.name: read_daemon_files(host, timeout_s=platform.timeouts.command_s) for host in targets}
    on_targets = [residue for host, texts in files.items() for residue in in_files(host, texts, source)]
    return [*on_targets, *in_cluster(kube.manifests(), source)]


def _placement(manifest: dict[str, object]) -> list[object]:
    """Where an object says on which node something must be."""
    spec = manifest.get("spec")
    if not isinstance(spec, dict):
        return []
    template = spec.get("template", {}).get("spec", {})
    return [spec.get("nodeAffinity"), template.get("nodeSelector"), template.get("affinity"), template.get("nodeName")]


def _whole(address: str) -> re.Pattern[str]:
    """10.0.0.1 must not be found in 10.0.0.11."""
    return re.compile(rf"(?<![\d.]){re.escape(address)}(?![\d]|\.\d)")


def _around(text: str, pattern: re.Pattern[str]) -> str:
    found = pattern.search(text)
    if found is None:
        return text[:80]
    return text[max(0, found.start() - 40) : found.end() + 40].strip()
