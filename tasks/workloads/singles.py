"""Deployments of a single replica: which may run twice while they move, and why the others may not."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from blocks.ports import KubeApi, Manifest, Workload
from configs.platform import Platform
from tasks.engine.check import check
from tasks.engine.finding import Checked, Findings

# Each pod has its own of these. All others (claims, hostPath, nfs, glusterfs ...) two pods would write to, or can't both mount.
PRIVATE = {"configMap", "secret", "emptyDir", "downwardAPI", "projected", "name"}
MACHINES_OWN = ("/etc/", "/usr/", "/lib/", "/proc", "/sys", "/dev")  # hostPaths that hold no workload's data
DRAIN = "drain"


@dataclass(frozen=True)
class Single:
    """A Deployment whose only pod is on a source; empty `why_not` where it may run twice."""

    workload: Workload
    why_not: str

    @property
    def name(self) -> str:
        """As `drain.surge` and `drain.no_surge` list it."""
        return f"{self.workload.namespace}/{self.workload.name}"


def singles(platform: Platform, kube: KubeApi, sources: Collection[str]) -> list[Single]:
    """Every Deployment whose only pod is on one of the sources, judged by the config first, then by what its pod uses."""
    found = [w for w in kube.workloads() if w.kind == "Deployment" and w.desired == 1]
    found = [w for w in found if any(pod.node in sources for pod in kube.pods_of(w))]
    if not found:
        return []
    manifests = {_name(manifest): manifest for manifest in kube.listed("Deployment")}
    scaled = {_scaled(scaler) for scaler in kube.listed("HorizontalPodAutoscaler")}
    return [Single(w, _why_not(platform, w, manifests.get(f"{w.namespace}/{w.name}", {}), scaled)) for w in found]


@check("check surge")
def check_surge(platform: Platform, kube: KubeApi) -> Checked:
    """A Deployment of one replica on a source gets a second one while it moves; one that can't is interrupted, and reported."""
    found = Findings("cluster")
    judged = singles(platform, kube, [source.name for source in platform.sources])
    for one in judged:
        if one.why_not:
            found.note(
                "surge-not-made",
                f"has one replica and gets no second one: {one.why_not}; it is interrupted while its pod moves",
                f"if two may run at a time, list {one.name} in {DRAIN}.surge",
                where=str(one.workload),
            )
    twice = [one.name for one in judged if not one.why_not]
    return found.checked(f"run twice while they move: {', '.join(twice) or 'none'}")


def _why_not(platform: Platform, workload: Workload, manifest: Manifest, scaled: Collection[str]) -> str:
    name = f"{workload.namespace}/{workload.name}"
    if name in platform.drain.no_surge:
        return f"{DRAIN}.no_surge lists it"
    if str(workload) in platform.ignore_workloads:
        return "ignore_workloads lists it, so a second one may not become Ready either"
    if name in platform.drain.surge:
        return ""
    if workload.recreate:
        return "its strategy is Recreate"
    if name in scaled:
        return "a HorizontalPodAutoscaler sets its replicas"
    owner = next((one for one in manifest.get("metadata", {}).get("ownerReferences") or () if one.get("controller")), None)
    if owner:
        return f"{owner['kind']} {owner['name']} owns it and would scale it back"
    return next(_shared(manifest.get("spec", {}).get("template", {}).get("spec", {})), "")


def _shared(pod: Manifest) -> Iterator[str]:
    """What two pods of this template could not have, or would both write to."""
    if pod.get("hostNetwork"):
        yield "it uses its node's network"
    for container in pod.get("containers") or ():
        yield from (f"it uses port {port['hostPort']} of its node" for port in container.get("ports") or () if port.get("hostPort"))
    for volume in pod.get("volumes") or ():
        kind = next(iter(volume.keys() - PRIVATE), "")
        own = kind == "hostPath" and f"{volume[kind]['path']}/".startswith(MACHINES_OWN)
        if kind and not own and not _only_read(pod, volume["name"]):
            yield f"its volume {volume['name']} ({kind}) would be written to by both"


def _only_read(pod: Manifest, volume: str) -> bool:
    containers = (*(pod.get("initContainers") or ()), *(pod.get("containers") or ()))
    mounts = [mount for container in containers for mount in container.get("volumeMounts") or () if mount["name"] == volume]
    return bool(mounts) and all(mount.get("readOnly") for mount in mounts)


def _scaled(scaler: Manifest) -> str:
    """The Deployment that an autoscaler scales; nothing when it scales another kind."""
    target = scaler["spec"]["scaleTargetRef"]
    return f"{scaler['metadata']['namespace']}/{target['name']}" if target["kind"] == "Deployment" else ""


def _name(manifest: Manifest) -> str:
    return f"{manifest['metadata']['namespace']}/{manifest['metadata']['name']}"
