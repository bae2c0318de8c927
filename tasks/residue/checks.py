"""Whether a source is still needed: before the move, when it is to leave, and afterwards."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from blocks.ports import Host, KubeApi
from configs.hosts import Machine
from configs.platform import Platform
from tasks.engine.check import check
from tasks.engine.finding import Checked, Findings
from tasks.engine.record import Record
from tasks.k3s.nodes import judge_source
from tasks.residue.files import in_files, read_daemon_files
from tasks.residue.names import Residue
from tasks.residue.objects import in_cluster
from tasks.shell.fleet import side_by_side
from tasks.vip.holder import holds
from tasks.workloads.drain import why_stays


@check("check residue")
def check_residue(platform: Platform, kube: KubeApi) -> Checked:
    """What in the cluster breaks when the sources are switched off is known before the move; it must be changed until then."""
    found = Findings("cluster")
    manifests = kube.manifests()
    needing = [one for source in platform.sources for one in in_cluster(manifests, source) if one.hard]
    for one in needing:
        what = f"{one.what}, which leaves; it is refused when the source is to be stopped"
        found.warn("source-needed-later", what, one.remedy, where=one.where)
    return found.checked(f"{len(needing)} objects need a source")


def read_residues(targets: Iterable[Host], kube: KubeApi, platform: Platform, *sources: Machine) -> list[Residue]:
    """Everything that still names one of `sources`, except the sources themselves. Every target is asked once."""
    asked = list(targets)
    texts_of = side_by_side(lambda host: read_daemon_files(host, timeout_s=platform.timeouts.command_s), asked)
    files = {host.name: texts for host, texts in zip(asked, texts_of, strict=True)}
    manifests = kube.manifests()
    found: list[Residue] = []
    for source in sources:
        found.extend(residue for host, texts in files.items() for residue in in_files(host, texts, source))
        found.extend(in_cluster(manifests, source))
    return found


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
