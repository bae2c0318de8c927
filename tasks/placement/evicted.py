"""The pods that the drains would evict, as the API has them, and what binds them to the machine that they run on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import PurePosixPath

from blocks.ports import KubeApi, Manifest, Pod
from configs.platform import Platform
from tasks.placement.places import CPU, MEMORY, quantity
from tasks.workloads.drain import why_stays

MUST_EXIST = ("Directory", "File", "Socket", "CharDevice", "BlockDevice")
# Every machine has its own of these; nothing in them is moved, nor has to be.
EVERYWHERE = (
    "/dev/", "/etc/", "/lib/", "/proc/", "/run/", "/sys/", "/tmp/", "/usr/", "/var/run/", "/var/log/",  # noqa: S108
    "/var/lib/docker/", "/var/lib/kubelet/", "/var/lib/rancher/",
)  # fmt: skip

Bound = Mapping[str, Manifest]
"""By "namespace/claim": the PersistentVolume that it is bound to."""


@dataclass(frozen=True)
class Evicted:
    """A pod that has to run elsewhere."""

    pod: Pod
    manifest: Manifest

    @property
    def owner(self) -> str:
        """What its pods have in common is reported of their controller, once."""
        return self.pod.controller or f"Pod {self.pod}"

    @property
    def labels(self) -> dict[str, str]:
        """Its labels, which selectors select."""
        return self.manifest["metadata"].get("labels") or {}

    @property
    def spec(self) -> Manifest:
        """What it needs of a node."""
        spec: Manifest = self.manifest["spec"]
        return spec


def evicted_pods(platform: Platform, kube: KubeApi) -> list[Evicted]:
    """All pods that have to leave the sources, those of lost ones included; none once the sources are drained."""
    sources = {source.name for source in platform.sources}
    leaving = [pod for pod in kube.pods() if pod.node in sources and why_stays(pod) is None and not pod.deleting]
    manifests = {_name(manifest): manifest for manifest in kube.listed("Pod")} if leaving else {}
    return [Evicted(pod, manifests[str(pod)]) for pod in leaving if str(pod) in manifests]


def needed_images(platform: Platform, kube: KubeApi) -> set[str]:
    """The images of all pods that have to move, and of DaemonSets, which come with the targets."""
    pods = evicted_pods(platform, kube)
    daemons = [workload for workload in kube.workloads() if workload.kind == "DaemonSet"] if pods else []
    containers = (one for pod in pods for name in ("initContainers", "containers") for one in pod.spec.get(name) or ())
    return {one["image"] for one in containers} | {image for daemon in daemons for image in daemon.images.values()}


def daemons(kube: KubeApi, node: str) -> list[Evicted]:
    """A pod of each DaemonSet, as a new node would get it."""
    found = []
    for manifest in kube.listed("DaemonSet"):
        namespace, name = manifest["metadata"]["namespace"], manifest["metadata"]["name"]
        pod = Pod(namespace, name, "", node, "DaemonSet", "Pending", ready=False, controller=f"DaemonSet {namespace}/{name}")
        found.append(Evicted(pod, {"metadata": {}, **manifest["spec"]["template"]}))
    return found


def one_per_owner(pods: Iterable[Evicted]) -> Iterator[Evicted]:
    """The first of each controller's pods, which are made from one template."""
    seen = set[str]()
    for pod in pods:
        if pod.owner not in seen:
            seen.add(pod.owner)
            yield pod


def requests(pod: Manifest) -> dict[str, Decimal]:
    """What the pod's containers ask for together; those that initialise run before, one at a time."""
    asked = {}
    for name in (CPU, MEMORY):
        running = sum((_asks(one, name) for one in pod.get("containers") or ()), Decimal(0))
        asked[name] = max([running, *(_asks(one, name) for one in pod.get("initContainers") or ())])
    return asked


def host_ports(pod: Manifest) -> set[int]:
    """The ports that the pod takes of its node."""
    ports = [port for one in pod.get("containers") or () for port in one.get("ports") or ()]
    taken = (port.get("hostPort") or (port.get("containerPort") if pod.get("hostNetwork") else 0) for port in ports)
    return {port for port in taken if port}


def bound_volumes(kube: KubeApi) -> Bound:
    """All volumes that have a claim."""
    claims = ((volume["spec"].get("claimRef"), volume) for volume in kube.listed("PersistentVolume"))
    return {f"{claim['namespace']}/{claim['name']}": volume for claim, volume in claims if claim}


def volumes_of(pod: Evicted, bound: Bound) -> Iterator[Manifest]:
    """The PersistentVolumes of the pod's claims."""
    for volume in pod.spec.get("volumes") or ():
        claim = (volume.get("persistentVolumeClaim") or {}).get("claimName")
        if claim and f"{pod.pod.namespace}/{claim}" in bound:
            yield bound[f"{pod.pod.namespace}/{claim}"]


def needed_paths(pod: Evicted) -> list[str]:
    """What must exist on the pod's node, or it does not start."""
    return [path["path"] for path in _host_paths(pod) if path.get("type") in MUST_EXIST]


def data_left(pod: Evicted, bound: Bound, platform: Platform) -> list[str]:
    """Folders of its machine that hold what the pod has written: they stay there. The file lake is on every machine."""
    lake = str(PurePosixPath(platform.backup.lake.folder).parent)
    written = [path["path"] for path in _host_paths(pod)]
    written += [path["path"] for one in volumes_of(pod, bound) if (path := one["spec"].get("hostPath") or one["spec"].get("local"))]
    return [path for path in dict.fromkeys(written) if not f"{path}/".startswith((*EVERYWHERE, f"{lake}/"))]


def _host_paths(pod: Evicted) -> list[Manifest]:
    return [volume["hostPath"] for volume in pod.spec.get("volumes") or () if volume.get("hostPath")]


def _name(manifest: Manifest) -> str:
    return f"{manifest['metadata']['namespace']}/{manifest['metadata']['name']}"


def _asks(container: Manifest, name: str) -> Decimal:
    resources = container.get("resources") or {}
    return quantity((resources.get("requests") or {}).get(name) or (resources.get("limits") or {}).get(name) or 0)
