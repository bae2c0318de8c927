"""The platform's Kubernetes API, by the official client, through whichever of its servers answers.

Answers are read as JSON, not as the client's typed models: those are of one Kubernetes version, platforms are of many.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

import urllib3
import websocket
from kubernetes import client as kube
from kubernetes.stream import stream

from blocks.errors import DeadlineExceededError, EvictionBlockedError, ExecBrokenError, HostError, KubeUnavailableError
from blocks.kube_credentials import KubeCredentials
from blocks.kube_values import WORKLOAD_KINDS, Manifest, image_ids, node_of, pod_of, restore_of, workload_of
from blocks.ports import ExecResult, Node, Pod, RestoreObject, Workload
from configs.errors import EvenkeelError

T = TypeVar("T")

CALL_TIMEOUT_S = (2.0, 20.0)  # connect, read; listing everything of a busy cluster takes seconds
NOT_FOUND, CONFLICT, TOO_MANY_REQUESTS = 404, 409, 429
PASSING = (CONFLICT, 500, 502, 503, 504)
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
MERGE_PATCH = "application/merge-patch+json"
ADDRESSED_KINDS = {
    "ConfigMap": ("/api/v1/configmaps",),
    "Endpoints": ("/api/v1/endpoints",),
    "Service": ("/api/v1/services",),
    "PersistentVolume": ("/api/v1/persistentvolumes",),
    "StorageClass": ("/apis/storage.k8s.io/v1/storageclasses",),
    "CronJob": ("/apis/batch/v1/cronjobs", "/apis/batch/v1beta1/cronjobs"),  # v1 has them from Kubernetes 1.21
}
"""What may name a machine, besides workloads, and where servers of several versions list it."""


class KubeCluster:
    """See ports.KubeApi. Servers are tried in the order of `addresses`; one that does not answer, or has another
    cluster's certificate (an old platform on a target), is passed over.
    """

    def __init__(self, credentials: KubeCredentials, addresses: tuple[str, ...], port: int) -> None:
        self._credentials, self._port = credentials, port
        self._clients: dict[str, kube.ApiClient] = {}
        self._order = list(addresses)
        self._eviction_api: str | None = None

    def nodes(self) -> list[Node]:
        return [node_of(item) for item in self._list("/api/v1/nodes")]

    def set_unschedulable(self, node: str, value: bool) -> None:
        self._call("PATCH", f"/api/v1/nodes/{quote(node)}", {"spec": {"unschedulable": value}})

    def delete_node(self, node: str) -> None:
        self._or_none(lambda: self._call("DELETE", f"/api/v1/nodes/{quote(node)}"))

    def pods(self, node: str | None = None) -> list[Pod]:
        chosen = {"fieldSelector": f"spec.nodeName={node}"} if node else {}
        return [pod_of(item) for item in self._list("/api/v1/pods", chosen)]

    def evict(self, pod: Pod) -> None:
        eviction = {
            "apiVersion": self._eviction_version(),
            "kind": "Eviction",
            "metadata": {"name": pod.name, "namespace": pod.namespace},
            "deleteOptions": {"preconditions": {"uid": pod.uid}},
        }
        self._or_none(lambda: self._call("POST", f"{_pod_path(pod.namespace, pod.name)}/eviction", eviction))

    def pod_manifest(self, namespace: str, name: str) -> dict[str, Any] | None:
        return self._or_none(lambda: self._call("GET", _pod_path(namespace, name)))

    def create_pod(self, manifest: dict[str, Any]) -> None:
        self._call("POST", f"/api/v1/namespaces/{quote(manifest['metadata']['namespace'])}/pods", manifest)

    def workloads(self) -> list[Workload]:
        return [
            workload_of(kind, item)
            for kind, plural in WORKLOAD_KINDS.items()
            for item in self._list(f"/apis/apps/v1/{plural}")
        ]

    def pods_of(self, workload: Workload) -> list[Pod]:
        labels = self._call("GET", _workload_path(workload))["spec"]["selector"].get("matchLabels", {})
        chosen = {"labelSelector": ",".join(f"{name}={value}" for name, value in labels.items())}
        return [pod_of(item) for item in self._list(f"/api/v1/namespaces/{quote(workload.namespace)}/pods", chosen)]

    def running_images(self) -> dict[str, str]:
        return image_ids(self._list("/api/v1/pods"))

    def server_addresses(self) -> list[str]:
        found = self._call("GET", "/api/v1/namespaces/default/endpoints/kubernetes")
        return sorted(
            address["ip"] for subset in found.get("subsets") or () for address in subset.get("addresses") or ()
        )

    def is_ready(self, address: str) -> bool:
        try:
            return self._at(address, lambda api: _request(api, "GET", "/readyz").decode()) == "ok"
        except (KubeUnavailableError, HostError):
            return False

    def manifests(self) -> dict[str, str]:
        paths = {
            **ADDRESSED_KINDS,
            **{kind: (f"/apis/apps/v1/{plural}",) for kind, plural in WORKLOAD_KINDS.items()},
        }
        found: dict[str, str] = {}
        for kind, versions in paths.items():
            for item in self._list_first(versions):
                meta = item["metadata"]
                meta.pop("managedFields", None)
                found[f"{kind} {meta.get('namespace', '-')}/{meta['name']}"] = json.dumps(item)
        return found

    def pod_named(self, namespace: str, label: str) -> str | None:
        found = map(pod_of, self._list(f"/api/v1/namespaces/{quote(namespace)}/pods", {"labelSelector": label}))
        return next((pod.name for pod in found if pod.ready and not pod.deleting), None)

    def scale(self, workload: Workload, replicas: int) -> None:
        self._call("PATCH", _workload_path(workload), {"spec": {"replicas": replicas}})

    def set_images(self, workload: Workload, images: dict[str, str]) -> None:
        parts: dict[str, list[dict[str, str]]] = {}
        for name, image in images.items():
            kind = "initContainers" if name in workload.initial else "containers"
            parts.setdefault(kind, []).append({"name": name, "image": image})
        body = {"spec": {"template": {"spec": parts}}}
        # A strategic patch merges lists by name; a merge patch would replace the other containers.
        self._call("PATCH", _workload_path(workload), body, content=STRATEGIC_PATCH)

    def restore_object(self, namespace: str, name: str) -> RestoreObject | None:
        try:
            found = self._list(f"/apis/pingcap.com/v1alpha1/namespaces/{quote(namespace)}/restores")
        except _NotFoundError as error:
            error.within("the cluster knows no restores.pingcap.com: is TiDB's operator installed?")
            raise
        return next((restore_of(item) for item in found if item["metadata"]["name"] == name), None)

    def exec(self, namespace: str, pod: str, argv: list[str], *, stdin: str = "", timeout_s: float = 60) -> ExecResult:
        """See ports.KubeApi. The protocol has no end of input: the command must not wait for one.

        Once begun it is begun on no other server: what breaks may still run in the pod.
        """

        def attach(api: kube.ApiClient) -> Any:
            # The client library swaps the ApiClient's transport while it streams: an own one keeps other threads' calls whole.
            own = kube.CoreV1Api(kube.ApiClient(api.configuration))
            return stream(
                own.connect_get_namespaced_pod_exec,
                pod,
                namespace,
                command=argv,
                stdin=bool(stdin),
                stdout=True,
                stderr=True,
                tty=False,
                _preload_content=False,
            )

        where = f"{namespace}/{pod}"
        socket = self._on_any(attach)
        try:
            if stdin:
                socket.write_stdin(stdin)
            socket.run_forever(timeout=timeout_s)
            if socket.is_open():
                socket.close()
                raise DeadlineExceededError(f"{where}: exec not done within {timeout_s:g} s")
            return ExecResult(_return_code(socket, where), socket.read_stdout(), socket.read_stderr())
        except (websocket.WebSocketException, OSError) as error:
            raise ExecBrokenError(f"{where}: the exec's connection broke: {error or type(error).__name__}") from error

    def _eviction_version(self) -> str:
        """policy/v1 answers 400 for evictions before Kubernetes 1.22, policy/v1beta1 is gone from 1.25: ask discovery."""
        if self._eviction_api is None:
            resources = self._call("GET", "/api/v1")["resources"]
            entry = next(item for item in resources if item["name"] == "pods/eviction")
            self._eviction_api = f"{entry['group']}/{entry['version']}"
        return self._eviction_api

    def _list(self, path: str, chosen: dict[str, str] | None = None) -> list[Manifest]:
        items: list[Manifest] = self._call("GET", f"{path}?{urlencode(chosen)}" if chosen else path)["items"]
        return items

    def _list_first(self, paths: tuple[str, ...]) -> list[Manifest]:
        """The list at the first path that the server knows; an empty one when it knows none."""
        for path in paths:
            found = self._or_none(partial(self._list, path))
            if found is not None:
                return found
        return []

    def _call(self, method: str, path: str, body: Manifest | None = None, *, content: str | None = None) -> Manifest:
        answer: Manifest = json.loads(self._on_any(lambda api: _request(api, method, path, body, content)))
        return answer

    def _or_none(self, call: Callable[[], T]) -> T | None:
        try:
            return call()
        except _NotFoundError:
            return None

    def _on_any(self, act: Callable[[kube.ApiClient], T]) -> T:
        failures = []
        for address in tuple(self._order):
            try:
                answer = self._at(address, act)
            except KubeUnavailableError as error:
                failures.append(str(error))
                continue
            if self._order[0] != address:
                self._order = sorted(self._order, key=lambda other: other != address)  # others read it meanwhile
            return answer
        raise KubeUnavailableError("no API server answered: " + "; ".join(failures))

    def _at(self, address: str, act: Callable[[kube.ApiClient], T]) -> T:
        if address not in self._clients:
            self._clients[address] = kube.ApiClient(self._credentials.configuration(address, self._port))
        try:
            return act(self._clients[address])
        except kube.ApiException as error:
            raise _refusal(address, int(error.status or 503), str(error.reason)) from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise KubeUnavailableError(f"{address}: {type(error).__name__}") from error


class _NotFoundError(HostError):
    """The API says 404."""


def _return_code(socket: Any, where: str) -> int:
    """The command's exit code. A connection that broke in the middle brings none, which must not pass for success."""
    try:
        return int(socket.returncode)
    except (TypeError, KeyError) as error:
        raise ExecBrokenError(f"{where}: the exec's connection broke before the command ended") from error


def _request(
    api: kube.ApiClient, method: str, path: str, body: Manifest | None = None, content: str | None = None
) -> bytes:
    content = content or (MERGE_PATCH if method == "PATCH" else "application/json")
    response = api.call_api(
        method,
        api.configuration.host + path,
        {"Content-Type": content, "Accept": "application/json"},
        body,
        _request_timeout=CALL_TIMEOUT_S,
    )
    data: bytes = response.read() or b""  # type: ignore[no-untyped-call]  # its package says it is typed
    if response.status >= 300:
        raise _refusal(api.configuration.host, response.status, data.decode(errors="replace"))
    return data


def _refusal(where: str, status: int, body: str) -> EvenkeelError:
    try:
        message = str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        message = body[:200]
    if status == TOO_MANY_REQUESTS:
        return EvictionBlockedError(message)
    if status == NOT_FOUND:
        return _NotFoundError(f"{where}: Kubernetes API: {message}")
    said = f"{where}: Kubernetes API: HTTP {status}: {message}"
    return KubeUnavailableError(said) if status in PASSING else HostError(said)


def _workload_path(workload: Workload) -> str:
    plural = WORKLOAD_KINDS[workload.kind]
    return f"/apis/apps/v1/namespaces/{quote(workload.namespace)}/{plural}/{quote(workload.name)}"


def _pod_path(namespace: str, name: str) -> str:
    return f"/api/v1/namespaces/{quote(namespace)}/pods/{quote(name)}"
