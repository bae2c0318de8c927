"""The platform's Kubernetes API, by the official client, through whichever of its servers answers.

Answers are read as JSON, not as the client's typed models: those are of one Kubernetes version, platforms are of many.
"""

from __future__ import annotations

import json
from urllib.parse import quote

from blocks import kube_locks
from blocks.errors import HostError, KubeUnavailableError, NotFoundError
from blocks.kube_credentials import KubeCredentials
from blocks.kube_exec import run_in_pod
from blocks.kube_servers import STRATEGIC_PATCH, KubeServers, or_none, request
from blocks.kube_values import WORKLOAD_KINDS, image_ids, node_of, pod_of, restore_of, selector_text, workload_of
from blocks.ports import ExecResult, Manifest, Node, Pod, RestoreObject, Workload

PATHS: dict[str, tuple[str, ...]] = {
    "ConfigMap": ("/api/v1/configmaps",),
    "Endpoints": ("/api/v1/endpoints",),
    "Service": ("/api/v1/services",),
    "PersistentVolume": ("/api/v1/persistentvolumes",),
    "StorageClass": ("/apis/storage.k8s.io/v1/storageclasses",),
    "CronJob": ("/apis/batch/v1/cronjobs", "/apis/batch/v1beta1/cronjobs"),  # v1 has them from Kubernetes 1.21
    **{kind: (f"/apis/apps/v1/{plural}",) for kind, plural in WORKLOAD_KINDS.items()},
    "TidbCluster": ("/apis/pingcap.com/v1alpha1/tidbclusters",),
    "Node": ("/api/v1/nodes",),
    "Pod": ("/api/v1/pods",),
    "PersistentVolumeClaim": ("/api/v1/persistentvolumeclaims",),
    "PodDisruptionBudget": ("/apis/policy/v1/poddisruptionbudgets", "/apis/policy/v1beta1/poddisruptionbudgets"),
    "HorizontalPodAutoscaler": ("/apis/autoscaling/v1/horizontalpodautoscalers",),
    "Ingress": ("/apis/networking.k8s.io/v1/ingresses", "/apis/networking.k8s.io/v1beta1/ingresses", "/apis/extensions/v1beta1/ingresses"),
    **{
        f"{what}WebhookConfiguration": (f"/apis/admissionregistration.k8s.io/v1/{what.lower()}webhookconfigurations",)
        for what in ("Validating", "Mutating")
    },
}
"""Where servers of several versions list a kind: the first path that one knows."""

ADDRESSED = (
    "ConfigMap", "Endpoints", "Service", "Ingress", "PersistentVolume", "StorageClass", "ValidatingWebhookConfiguration",
    "MutatingWebhookConfiguration", "CronJob", *WORKLOAD_KINDS,
)  # fmt: skip
"""The kinds that may name a machine."""


class KubeCluster:
    """See ports.KubeApi."""

    def __init__(self, credentials: KubeCredentials, addresses: tuple[str, ...], port: int) -> None:
        self._servers = KubeServers(credentials, addresses, port)
        self._eviction_api: str | None = None

    def nodes(self) -> list[Node]:
        return [node_of(item) for item in self._servers.list_all("/api/v1/nodes")]

    def set_unschedulable(self, node: str, value: bool) -> None:
        self._servers.call("PATCH", f"/api/v1/nodes/{quote(node)}", {"spec": {"unschedulable": value}})

    def label_node(self, node: str, labels: dict[str, str], taints: list[Manifest], *, version: str) -> None:
        body = {"metadata": {"labels": labels, "resourceVersion": version}, "spec": {"taints": taints}}
        self._servers.call("PATCH", f"/api/v1/nodes/{quote(node)}", body)

    def delete_node(self, node: str) -> None:
        or_none(lambda: self._servers.call("DELETE", f"/api/v1/nodes/{quote(node)}"))

    def pods(self, node: str | None = None) -> list[Pod]:
        chosen = {"fieldSelector": f"spec.nodeName={node}"} if node else {}
        return [pod_of(item) for item in self._servers.list_all("/api/v1/pods", chosen)]

    def evict(self, pod: Pod) -> None:
        eviction = {
            "apiVersion": self._eviction_version(),
            "kind": "Eviction",
            "metadata": {"name": pod.name, "namespace": pod.namespace},
            "deleteOptions": {"preconditions": {"uid": pod.uid}},
        }
        or_none(lambda: self._servers.call("POST", f"{_pod_path(pod.namespace, pod.name)}/eviction", eviction))

    def pod_manifest(self, namespace: str, name: str) -> Manifest | None:
        return or_none(lambda: self._servers.call("GET", _pod_path(namespace, name)))

    def create_pod(self, manifest: Manifest) -> None:
        self._servers.call("POST", f"/api/v1/namespaces/{quote(manifest['metadata']['namespace'])}/pods", manifest)

    def workloads(self) -> list[Workload]:
        return [
            workload_of(kind, item)
            for kind, plural in WORKLOAD_KINDS.items()
            for item in self._servers.list_all(f"/apis/apps/v1/{plural}")
        ]

    def pods_of(self, workload: Workload) -> list[Pod]:
        chosen = {"labelSelector": selector_text(self._servers.call("GET", _workload_path(workload))["spec"]["selector"])}
        return [pod_of(item) for item in self._servers.list_all(f"/api/v1/namespaces/{quote(workload.namespace)}/pods", chosen)]

    def running_images(self) -> dict[str, str]:
        return image_ids(self._servers.list_all("/api/v1/pods"))

    def server_addresses(self) -> list[str]:
        found = self._servers.call("GET", "/api/v1/namespaces/default/endpoints/kubernetes")
        return sorted(
            address["ip"] for subset in found.get("subsets") or () for address in subset.get("addresses") or ()
        )

    def is_ready(self, address: str) -> bool:
        try:
            return self._servers.at(address, lambda api: request(api, "GET", "/readyz").decode()) == "ok"
        except (KubeUnavailableError, HostError):
            return False

    def listed(self, kind: str) -> list[Manifest]:
        return self._servers.list_first(PATHS[kind])

    def manifests(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for kind in ADDRESSED:
            for item in self.listed(kind):
                meta = item["metadata"]
                meta.pop("managedFields", None)
                found[f"{kind} {meta.get('namespace', '-')}/{meta['name']}"] = json.dumps(item)
        return found

    def pods_labelled(self, namespace: str, label: str) -> list[Pod]:
        return [*map(pod_of, self._servers.list_all(f"/api/v1/namespaces/{quote(namespace)}/pods", {"labelSelector": label}))]

    def scale(self, workload: Workload, replicas: int) -> None:
        self._servers.call("PATCH", _workload_path(workload), {"spec": {"replicas": replicas}})

    def set_images(self, workload: Workload, images: dict[str, str]) -> None:
        parts: dict[str, list[dict[str, str]]] = {}
        for name, image in images.items():
            kind = "initContainers" if name in workload.initial else "containers"
            parts.setdefault(kind, []).append({"name": name, "image": image})
        body = {"spec": {"template": {"spec": parts}}}
        # A strategic patch merges lists by name; a merge patch would replace the other containers.
        self._servers.call("PATCH", _workload_path(workload), body, content=STRATEGIC_PATCH)

    def lock_holder(self, namespace: str, name: str) -> str:
        return kube_locks.holder(kube_locks.read(self._servers, namespace, name))

    def release_lock(self, namespace: str, name: str, holder: str) -> None:
        kube_locks.release(self._servers, namespace, name, holder)

    def restore_object(self, namespace: str, name: str) -> RestoreObject | None:
        try:
            found = self._servers.list_all(f"/apis/pingcap.com/v1alpha1/namespaces/{quote(namespace)}/restores")
        except NotFoundError as error:
            error.within("the cluster has no kind restores.pingcap.com: is TiDB's operator installed? kubectl get crd")
            raise
        return next((restore_of(item) for item in found if item["metadata"]["name"] == name), None)

    def exec(self, namespace: str, pod: str, argv: list[str], *, stdin: str = "", timeout_s: float = 60) -> ExecResult:
        return run_in_pod(self._servers, namespace, pod, argv, stdin=stdin, timeout_s=timeout_s)

    def _eviction_version(self) -> str:
        """policy/v1 answers 400 for evictions before Kubernetes 1.22, policy/v1beta1 is gone from 1.25: ask discovery."""
        if self._eviction_api is None:
            resources = self._servers.call("GET", "/api/v1")["resources"]
            entry = next(item for item in resources if item["name"] == "pods/eviction")
            self._eviction_api = f"{entry['group']}/{entry['version']}"
        return self._eviction_api


def _workload_path(workload: Workload) -> str:
    plural = WORKLOAD_KINDS[workload.kind]
    return f"/apis/apps/v1/namespaces/{quote(workload.namespace)}/{plural}/{quote(workload.name)}"


def _pod_path(namespace: str, name: str) -> str:
    return f"/api/v1/namespaces/{quote(namespace)}/pods/{quote(name)}"
