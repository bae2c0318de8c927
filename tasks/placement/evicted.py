"""The pods that the drains would evict, as the API has them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from blocks.ports import KubeApi, Manifest, Pod
from configs.platform import Platform
from tasks.workloads.drain import why_stays


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


def daemons(kube: KubeApi) -> list[Evicted]:
    """A pod of each DaemonSet, as a new node would get it."""
    found = []
    for manifest in kube.listed("DaemonSet"):
        namespace, name = manifest["metadata"]["namespace"], manifest["metadata"]["name"]
        pod = Pod(namespace, name, "", "", "DaemonSet", "Pending", ready=False, controller=f"DaemonSet {namespace}/{name}")
        found.append(Evicted(pod, {"metadata": {}, **manifest["spec"]["template"]}))
    return found


def one_per_owner(pods: Iterable[Evicted]) -> Iterator[Evicted]:
    """The first of each controller's pods, which are made from one template."""
    seen = set[str]()
    for pod in pods:
        if pod.owner not in seen:
            seen.add(pod.owner)
            yield pod


def _name(manifest: Manifest) -> str:
    return f"{manifest['metadata']['namespace']}/{manifest['metadata']['name']}"
