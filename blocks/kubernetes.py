"""The platform's Kubernetes API, by the official client, through whichever of its servers answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

import urllib3
from kubernetes import client as kube
from kubernetes.client.exceptions import ApiException
from kubernetes.stream import stream

from blocks.kube_credentials import KubeCredentials
from blocks.kube_values import node_of, pod_of, workloads_of
from blocks.ports import ExecResult, Node, Pod, Workload
from configs.errors import EvenkeelError, EvictionBlockedError, HostError, KubeUnavailableError

T = TypeVar("T")

CALL_TIMEOUT_S = (2, 20)  # connect, read; listing everything of a busy cluster takes seconds
NOT_FOUND, CONFLICT, TOO_MANY_REQUESTS = 404, 409, 429


class KubeCluster:
    """See ports.KubeApi. A server that does not answer, or has another cluster's certificate, is passed over."""

    def __init__(self, credentials: KubeCredentials, addresses: tuple[str, ...], port: int) -> None:
        self._clients = {address: kube.ApiClient(credentials.configuration(address, port)) for address in addresses}
        self._order = list(addresses)
        self._eviction_api: str | None = None

    def nodes(self) -> list[Node]:
        return [node_of(item) for item in self._get(lambda api: kube.CoreV1Api(api).list_node(_request_timeout=CALL_TIMEOUT_S)).items]

    def set_unschedulable(self, node: str, value: bool) -> None:
        body = {"spec": {"unschedulable": value}}
        self._get(lambda api: kube.CoreV1Api(api).patch_node(node, body, _request_timeout=CALL_TIMEOUT_S))

    def delete_node(self, node: str) -> None:
        self._get_or_none(lambda api: kube.CoreV1Api(api).delete_node(node, _request_timeout=CALL_TIMEOUT_S))

    def pods(self, node: str | None = None) -> list[Pod]:
        chosen = {"field_selector": f"spec.nodeName={node}"} if node else {}
        found = self._get(
            lambda api: kube.CoreV1Api(api).list_pod_for_all_namespaces(**chosen, _request_timeout=CALL_TIMEOUT_S)
        )
        return [pod_of(item) for item in found.items]

    def evict(self, pod: Pod) -> None:
        body = kube.V1Eviction(
            api_version=self._eviction_version(), kind="Eviction",
            metadata=kube.V1ObjectMeta(name=pod.name, namespace=pod.namespace),
            delete_options=kube.V1DeleteOptions(preconditions=kube.V1Preconditions(uid=pod.uid)),
        )
        self._get_or_none(
            lambda api: kube.CoreV1Api(api).create_namespaced_pod_eviction(
                pod.name, pod.namespace, body, _request_timeout=CALL_TIMEOUT_S, _preload_content=False
            )
        )

    def pod_manifest(self, namespace: str, name: str) -> dict[str, Any] | None:
        answer = self._get_or_none(
            lambda api: kube.CoreV1Api(api).read_namespaced_pod(
                name, namespace, _request_timeout=CALL_TIMEOUT_S, _preload_content=False
            )
        )
        manifest: dict[str, Any] | None = None if answer is None else json.loads(answer.data)
        return manifest

    def create_pod(self, manifest: dict[str, Any]) -> None:
        namespace = manifest["metadata"]["namespace"]
        self._get(
            lambda api: kube.CoreV1Api(api).create_namespaced_pod(namespace, manifest, _request_timeout=CALL_TIMEOUT_S)
        )

    def workloads(self) -> list[Workload]:
        def read(api: kube.ApiClient) -> list[Workload]:
            apps = kube.AppsV1Api(api)
            return workloads_of(
                apps.list_deployment_for_all_namespaces(_request_timeout=CALL_TIMEOUT_S).items,
                apps.list_stateful_set_for_all_namespaces(_request_timeout=CALL_TIMEOUT_S).items,
                apps.list_daemon_set_for_all_namespaces(_request_timeout=CALL_TIMEOUT_S).items,
            )

        return self._get(read)

    def running_images(self) -> dict[str, str]:
        found = self._get(lambda api: kube.CoreV1Api(api).list_pod_for_all_namespaces(_request_timeout=CALL_TIMEOUT_S))
        statuses = (status for pod in found.items for status in pod.status.container_statuses or ())
        return {status.image: status.image_id for status in statuses if status.image_id}

    def server_addresses(self) -> list[str]:
        found = self._get(
            lambda api: kube.CoreV1Api(api).read_namespaced_endpoints("kubernetes", "default", _request_timeout=CALL_TIMEOUT_S)
        )
        return sorted(address.ip for subset in found.subsets or () for address in subset.addresses or ())

    def is_ready(self, address: str) -> bool:
        try:
            return self._at(address, lambda api: _raw(api, "/readyz") == "ok")
        except (KubeUnavailableError, HostError):
            return False

    def manifests(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for path in (
            "/api/v1/configmaps", "/api/v1/endpoints", "/api/v1/services", "/api/v1/persistentvolumes",
            "/apis/apps/v1/deployments", "/apis/apps/v1/statefulsets", "/apis/apps/v1/daemonsets",
        ):
            listed = json.loads(self._get(lambda api, path=path: _raw(api, path)))
            for item in listed["items"]:
                meta = item["metadata"]
                meta.pop("managedFields", None)
                kind = listed["kind"].removesuffix("List")
                found[f"{kind} {meta.get('namespace', '-')}/{meta['name']}"] = json.dumps(item)
        return found

    def pod_named(self, namespace: str, label: str) -> str | None:
        found = self._get(
            lambda api: kube.CoreV1Api(api).list_namespaced_pod(
                namespace, label_selector=label, _request_timeout=CALL_TIMEOUT_S
            )
        )
        ready = [pod_of(item) for item in found.items]
        return next((pod.name for pod in ready if pod.ready and not pod.deleting), None)

    def exec(self, namespace: str, pod: str, argv: list[str], *, stdin: str = "", timeout_s: float = 60) -> ExecResult:
        """See ports.KubeApi. The protocol has no end of input: the command must not wait for one."""

        def attach(api: kube.ApiClient) -> ExecResult:
            # The client library swaps the ApiClient's transport while it streams: an own one keeps other threads' calls whole.
            own = kube.CoreV1Api(kube.ApiClient(api.configuration))
            socket = stream(
                own.connect_get_namespaced_pod_exec, pod, namespace, command=argv,
                stdin=bool(stdin), stdout=True, stderr=True, tty=False, _preload_content=False,
            )
            if stdin:
                socket.write_stdin(stdin)
            socket.run_forever(timeout=timeout_s)
            if socket.is_open():
                socket.close()
                raise KubeUnavailableError(f"{namespace}/{pod}: exec not done within {timeout_s:g} s")
            return ExecResult(socket.returncode, socket.read_stdout(), socket.read_stderr())

        return self._get(attach)

    def _eviction_version(self) -> str:
        """policy/v1 answers 400 for evictions before Kubernetes 1.22, policy/v1beta1 is gone from 1.25: ask discovery."""
        if self._eviction_api is None:
            resources = json.loads(self._get(lambda api: _raw(api, "/api/v1")))["resources"]
            entry = next(item for item in resources if item["name"] == "pods/eviction")
            self._eviction_api = f"{entry['group']}/{entry['version']}"
        return self._eviction_api

    def _get_or_none(self, act: Callable[[kube.ApiClient], T]) -> T | None:
        try:
            return self._get(act)
        except _NotFoundError:
            return None

    def _get(self, act: Callable[[kube.ApiClient], T]) -> T:
        failures = []
        for address in tuple(self._order):
            try:
                answer = self._at(address, act)
            except KubeUnavailableError as error:
                failures.append(str(error))
                continue
            if self._order[0] != address:
                self._order.sort(key=lambda other: other != address)
            return answer
        raise KubeUnavailableError("no API server answered: " + "; ".join(failures))

    def _at(self, address: str, act: Callable[[kube.ApiClient], T]) -> T:
        try:
            return act(self._clients[address])
        except ApiException as error:
            raise _translated(address, error) from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise KubeUnavailableError(f"{address}: {type(error).__name__}") from error


class _NotFoundError(HostError):
    """The API says 404."""


def _raw(api: kube.ApiClient, path: str) -> str:
    answer = api.call_api(
        path, "GET", auth_settings=["BearerToken"], _preload_content=False, _return_http_data_only=True,
        _request_timeout=CALL_TIMEOUT_S,
    )
    return str(answer.data.decode())


def _translated(address: str, error: ApiException) -> EvenkeelError:
    try:
        message = json.loads(error.body)["message"]
    except (TypeError, ValueError, KeyError):
        message = error.reason
    if error.status == TOO_MANY_REQUESTS:
        return EvictionBlockedError(str(message))
    if error.status == NOT_FOUND:
        return _NotFoundError(f"{address}: Kubernetes API: {message}")
    if error.status in (None, 0, 500, 502, 503, 504, CONFLICT):
        return KubeUnavailableError(f"{address}: HTTP {error.status}: {message}")
    return HostError(f"{address}: Kubernetes API: HTTP {error.status}: {message}")
