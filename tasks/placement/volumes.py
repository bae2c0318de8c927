"""What binds pods to the machine that they run on: volumes of one node, folders of the machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from blocks.ports import KubeApi, Manifest
from configs.platform import Platform
from tasks.placement.evicted import Evicted
from tasks.placement.places import Place
from tasks.placement.selectors import unmatched_term

MUST_EXIST = ("Directory", "File", "Socket", "CharDevice", "BlockDevice")
# Every machine has its own of these; nothing in them is moved, nor has to be.
EVERYWHERE = (
    "/dev/", "/etc/", "/lib/", "/proc/", "/run/", "/sys/", "/tmp/", "/usr/", "/var/run/", "/var/log/",  # noqa: S108
    "/var/lib/docker/", "/var/lib/kubelet/", "/var/lib/rancher/",
)  # fmt: skip

Bound = Mapping[str, Manifest]
"""By "namespace/claim": the PersistentVolume that it is bound to."""


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


def bound_elsewhere(pod: Evicted, place: Place, bound: Bound) -> str:
    """Why a volume of the pod can't be used on this node; empty when all can."""
    for volume in volumes_of(pod, bound):
        required = (volume["spec"].get("nodeAffinity") or {}).get("required")
        wrong = unmatched_term(required["nodeSelectorTerms"], place.labels, place.name) if required else ""
        if wrong:
            return f"PersistentVolume {volume['metadata']['name']} wants {wrong}"
    return ""


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
