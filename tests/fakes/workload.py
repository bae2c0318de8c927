"""What a controller keeps running, and its objects as the API has them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from blocks.ports import Manifest, Pod


@dataclass
class FakeWorkload:
    """`spec` is its pods' beside their containers. One of another `api` than apps/v1 is a custom resource's, so it is none of the API's
    workloads.
    """

    kind: str
    namespace: str
    name: str
    replicas: int
    images: dict[str, str] = field(default_factory=lambda: {"main": "app/web:2.0"})
    recreate: bool = False
    spec: dict[str, Any] = field(default_factory=dict)
    api: str = "apps/v1"
    meta: dict[str, Any] = field(default_factory=dict)

    @property
    def native(self) -> bool:
        return self.api == "apps/v1" and self.kind in ("Deployment", "StatefulSet", "DaemonSet")

    @property
    def labels(self) -> dict[str, str]:
        return {"app": self.name}

    @property
    def template(self) -> Manifest:
        containers = [{"name": name, "image": image} for name, image in self.images.items()]
        return {"metadata": {"labels": self.labels}, "spec": {"containers": containers, **self.spec}}

    @property
    def controller(self) -> str:
        group = self.api.rpartition("/")[0]
        return f"{self.kind}{'' if group in ('', 'apps', 'batch') else f'.{group}'} {self.namespace}/{self.name}"

    def manifest(self) -> Manifest:
        meta = {"namespace": self.namespace, "name": self.name, **self.meta}
        return {"metadata": meta, "spec": {"replicas": self.replicas, "template": self.template}}


def pod_manifest(pod: Pod, workload: FakeWorkload | None) -> Manifest:
    """A pod of this workload, or a bare one."""
    template = workload.template if workload else {"spec": {"containers": [{"name": "main", "image": "app/tool:1.0"}]}}
    meta = {**template.get("metadata", {}), "namespace": pod.namespace, "name": pod.name, "uid": pod.uid}
    spec = {**template["spec"], **({"nodeName": pod.node} if pod.node else {})}
    return {"metadata": meta, "spec": spec, "status": {}}
