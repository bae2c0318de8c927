"""What still names a source: on the targets, and in the cluster. Reading is apart from judging; judging is pure."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from blocks.errors import RefusedError, VerificationError
from blocks.ports import Host, KubeApi
from configs.hosts import Machine
from configs.platform import Platform
from tasks.engine.outcome import Outcome, planned, unchanged
from tasks.engine.run import Run
from tasks.engine.step import step
from tasks.shell.script import parse_facts, tell
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

    def __str__(self) -> str:
        return f"{self.where}: {self.which} names {self.named}"


def read_daemon_files(host: Host, *, timeout_s: float) -> dict[str, str]:
    """The daemons' configuration on a target, without secrets."""
    script = "".join(tell(path, f"test ! -f {path} || {CUT} {path}") for path in FILES)
    return parse_facts(host.run(script, what="looking for source addresses", timeout_s=timeout_s).stdout)


def in_files(host: str, files: Mapping[str, str], source: Machine) -> list[Residue]:
    """Lines of a target's files that name the source's address; told by number and setting, for they may hold a secret."""
    named = str(source.address)
    address = _whole(named)
    return [
        Residue(f"{host}:{path}", f"line {number}{_setting(line)}", named, hard=path.startswith(DAEMONS))
        for path, text in files.items()
        for number, line in enumerate(text.splitlines(), 1)
        if address.search(line)
    ]


def in_cluster(manifests: Mapping[str, str], source: Machine) -> list[Residue]:
    """Objects that name the source's address or, as a node to run on, its name; told by the field, never by its value.

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
        fields = list(_fields(manifest, address))
        if fields:
            found.append(Residue(what, ", ".join(fields), str(source.address), hard=what.startswith("Endpoints ")))
        if name in json.dumps(_placement(manifest)):
            found.append(Residue(what, "its placement", source.name, hard=True))
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


@step("check nothing names source")
def check_unreferenced(
    run: Run, source: Machine, platform: Platform, targets: Collection[Host], everyone: Collection[Host], kube: KubeApi
) -> Outcome:
    """Make sure that nobody would miss the machine: no target's daemon and no object of the cluster needs its address.

    Changes nothing. What merely mentions the address is noted. Undo: none needed.
    """
    # probe
    if run.dry_run:
        return planned("checked: targets' daemons, endpoints, volumes, placements, VIP, pods")
    found = read_residues(targets, kube, platform, source)
    hard = [str(residue) for residue in found if residue.hard]
    holding = [host.name for host in everyone if host.name == source.name and holds(host, platform)]
    pods = [str(pod) for pod in kube.pods(source.name) if why_stays(pod) is None]
    needed = [*hard, *(f"it holds the VIP {platform.vip}" for _ in holding), *(f"pod {pod} runs there" for pod in pods)]
    if needed:
        raise RefusedError(f"{source.name}: still needed: {'; '.join(needed)}: change what names it, then run again")

    # act
    # verify
    notes = tuple(map(str, found))
    return unchanged("nothing needs it", notes=notes)


@step("verify no residue")
def verify_no_residue(run: Run, platform: Platform, targets: Collection[Host], kube: KubeApi) -> Outcome:
    """Make sure that nothing needs a source's address any more; what merely mentions one is noted.

    Changes nothing. Undo: none needed.
    """
    # probe
    if run.dry_run:
        return planned("nothing in the cluster or on the targets needs a source")

    # act
    # verify
    found = read_residues(targets, kube, platform, *platform.sources)
    hard = [str(residue) for residue in found if residue.hard]
    if hard:
        raise VerificationError(f"sources are still needed: {'; '.join(hard)}")
    return unchanged("nothing needs a source", notes=tuple(map(str, found)))
