"""What still names a source, on the targets and in the cluster. Finding it in texts is pure."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from blocks.ports import Host, KubeApi
from configs.hosts import Machine
from configs.platform import Platform
from tasks.engine.check import check
from tasks.engine.finding import Checked, Findings
from tasks.engine.record import Record
from tasks.k3s.nodes import judge_source
from tasks.shell.script import fact, parse_facts
from tasks.vip.holder import holds
from tasks.workloads.drain import why_stays

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
SETTING = re.compile(r"\s*(?:export\s+)?([A-Za-z_]\w*)(?:=|:(?=\s))")
DAEMONS = ("/etc/systemd/system/k3s", "/etc/rancher/", "/etc/keepalived/")


@dataclass(frozen=True)
class Residue:
    """One place that names a source. A `hard` one breaks when the source is switched off."""

    where: str
    which: str
    named: str
    """The source's address, or its node's name."""
    hard: bool
    remedy: str
    """How to change it."""

    @property
    def what(self) -> str:
        """The part that names the source; never its value, which may hold a secret."""
        return f"{self.which} names {self.named}"


def read_daemon_files(host: Host, *, timeout_s: float) -> dict[str, str]:
    """The daemons' configuration on a target, without secrets."""
    script = "".join(fact(path, f"test ! -f {path} || {CUT} {path}") for path in FILES)
    return parse_facts(host.run(script, what="looking for source addresses", timeout_s=timeout_s).stdout)


def in_files(host: str, files: Mapping[str, str], source: Machine) -> list[Residue]:
    """Lines of a target's files that name the source's address; given by number and setting, as they may hold a secret."""
    named = str(source.address)
    address = _whole(named)
    remedy = f"on {host} write a target's address or the VIP there, restart its daemon, then run the same command again"
    return [
        Residue(f"{host}:{path}", f"line {number}{_setting(line)}", named, hard=path.startswith(DAEMONS), remedy=remedy)
        for path, text in files.items()
        for number, line in enumerate(text.splitlines(), 1)
        if address.search(line)
    ]


def in_cluster(manifests: Mapping[str, str], source: Machine) -> list[Residue]:
    """Objects that name the source's address or, as a node to run on, its name; given by the field, never by its value.

    Endpoints that controllers keep are left out: they follow the pods and the API servers by themselves.
    """
    address, name = _whole(str(source.address)), f'"{source.name}"'
    found = []
    for what, text in manifests.items():
        manifest = json.loads(text)
        endpoints = what.startswith("Endpoints ")
        if endpoints and (what == "Endpoints default/kubernetes" or not _written_by_hand(manifest)):
            continue
        manifest.pop("status", None)
        remedy = f"{_edit(what)}, then run the same command again"
        fields = list(_fields(manifest, address))
        if fields:
            found.append(Residue(what, ", ".join(fields), str(source.address), hard=endpoints, remedy=remedy))
        if name in json.dumps(_placement(manifest)):
            found.append(Residue(what, "its placement", source.name, hard=True, remedy=remedy))
    return found


def read_residues(targets: Iterable[Host], kube: KubeApi, platform: Platform, *sources: Machine) -> list[Residue]:
    """Everything that still names one of `sources`, except the sources themselves. Every target is asked once."""
    files = {host.name: read_daemon_files(host, timeout_s=platform.timeouts.command_s) for host in targets}
    manifests = kube.manifests()
    found: list[Residue] = []
    for source in sources:
        found.extend(residue for host, texts in files.items() for residue in in_files(host, texts, source))
        found.extend(in_cluster(manifests, source))
    return found


def _written_by_hand(endpoints: dict[str, Any]) -> bool:
    """Whether no controller keeps these endpoints."""
    meta = endpoints["metadata"]
    triggered = "endpoints.kubernetes.io/last-change-trigger-time" in meta.get("annotations", {})
    return not triggered and not meta.get("labels", {}).get("endpoints.kubernetes.io/managed-by")


def _edit(what: str) -> str:
    """The command that opens the object "Kind namespace/name"; namespace "-" is none."""
    kind, _, place = what.partition(" ")
    namespace, _, name = place.partition("/")
    return f"kubectl edit {kind.lower()}{'' if namespace == '-' else f' -n {namespace}'} {name}"


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


def _setting(line: str) -> str:
    name = SETTING.match(line)
    return f", {name[1]}" if name else ""


def _fields(part: object, pattern: re.Pattern[str], path: str = "") -> Iterator[str]:
    """Paths of the texts that match; what `kubectl apply` keeps of itself is a copy of the others."""
    if isinstance(part, dict):
        for name, value in part.items():
            if name != "kubectl.kubernetes.io/last-applied-configuration":
                yield from _fields(value, pattern, f"{path}.{name}" if path else name)
    elif isinstance(part, list):
        for number, value in enumerate(part):
            name = value.get("name", number) if isinstance(value, dict) else number
            yield from _fields(value, pattern, f"{path}[{name}]")
    elif isinstance(part, str) and pattern.search(part):
        yield path


def _judge_residues(found: Findings, residues: Iterable[Residue]) -> None:
    """What breaks without the source is refused, a mere mention is noted."""
    for residue in residues:
        if residue.hard:
            found.refuse("source-still-needed", residue.what, residue.remedy, where=residue.where)
        else:
            found.note("source-mentioned", residue.what, where=residue.where)


@check("check nothing names source", after_acts=True)
def check_unreferenced(
    source: Machine, platform: Platform, targets: Collection[Host], everyone: Collection[Host], kube: KubeApi, record: Record
) -> Checked:
    """The source is needed by no target's daemon and no object of the cluster; it holds no VIP and runs no pod."""
    found = Findings(source.name)
    judge_source(found, kube.nodes(), source, record)  # pods are looked for by the node's name
    _judge_residues(found, read_residues(targets, kube, platform, source))
    if any(host.name == source.name and holds(host, platform) for host in everyone):
        found.refuse(
            "source-holds-vip",
            f"holds the VIP {platform.vip}, expected on a target",
            "run the same command again, it hands the VIP over first",
            final=True,
        )
    for pod in kube.pods(source.name):
        if why_stays(pod) is None:
            found.refuse(
                "source-runs-pod",
                f"runs on {source.name}, which is to be stopped",
                f"kubectl describe pod -n {pod.namespace} {pod.name}, then run the same command again: it drains first",
                where=f"Pod {pod}",
            )
    return found.checked("nothing needs it")


@check("verify no residue", after_acts=True)
def verify_no_residue(platform: Platform, targets: Collection[Host], kube: KubeApi) -> Checked:
    """No target's daemon and no object of the cluster needs a source; what merely mentions one is noted."""
    found = Findings("cluster")
    _judge_residues(found, read_residues(targets, kube, platform, *platform.sources))
    return found.checked("nothing needs a source")
