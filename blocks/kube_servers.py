"""The API's servers: a question goes to the first that answers, with its errors in our words."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import TypeVar
from urllib.parse import urlencode

import urllib3
from kubernetes import client as kube

from blocks.errors import EvictionBlockedError, HostError, KubeUnavailableError, NotFoundError
from blocks.failover import Failover
from blocks.kube_credentials import KubeCredentials
from blocks.ports import Manifest
from configs.errors import EvenkeelError

T = TypeVar("T")

CALL_TIMEOUT_S = (2.0, 20.0)  # connect, read; listing everything of a busy cluster takes seconds
NOT_FOUND, CONFLICT, TOO_MANY_REQUESTS = 404, 409, 429
PASSING = (CONFLICT, TOO_MANY_REQUESTS, 500, 502, 503, 504)
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
MERGE_PATCH = "application/merge-patch+json"


class KubeServers:
    """The servers at `addresses`, tried in this order; one that does not answer, or has another cluster's certificate
    (an old platform on a target), is passed over.
    """

    def __init__(self, credentials: KubeCredentials, addresses: tuple[str, ...], port: int) -> None:
        self._credentials, self._port = credentials, port
        self._clients: dict[str, kube.ApiClient] = {}
        self._failover = Failover(addresses, nobody="no API server answered", unavailable=KubeUnavailableError)

    def call(self, method: str, path: str, body: Manifest | None = None, *, content: str | None = None) -> Manifest:
        answer: Manifest = json.loads(self.on_any(lambda api: request(api, method, path, body, content)))
        return answer

    def list_all(self, path: str, chosen: dict[str, str] | None = None) -> list[Manifest]:
        items: list[Manifest] = self.call("GET", f"{path}?{urlencode(chosen)}" if chosen else path)["items"]
        return items

    def list_first(self, paths: tuple[str, ...]) -> list[Manifest]:
        """The list at the first path that the server knows; an empty one when it knows none."""
        for path in paths:
            found = or_none(partial(self.list_all, path))
            if found is not None:
                return found
        return []

    def on_any(self, act: Callable[[kube.ApiClient], T]) -> T:
        return self._failover.ask(lambda address: self.at(address, act))

    def at(self, address: str, act: Callable[[kube.ApiClient], T]) -> T:
        """What `act` answers at this server, and no other."""
        if address not in self._clients:
            self._clients[address] = kube.ApiClient(self._credentials.configuration(address, self._port))
        try:
            return act(self._clients[address])
        except kube.ApiException as error:
            raise refusal(address, int(error.status or 503), str(error.reason)) from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise KubeUnavailableError(f"{address}: {type(error).__name__}") from error


def or_none(call: Callable[[], T]) -> T | None:
    """What `call` answers, None when the API says 404."""
    try:
        return call()
    except NotFoundError:
        return None


def request(
    api: kube.ApiClient, method: str, path: str, body: Manifest | None = None, content: str | None = None
) -> bytes:
    """The body of one server's answer."""
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
        raise refusal(api.configuration.host, response.status, data.decode(errors="replace"))
    return data


def refusal(where: str, status: int, body: str) -> EvenkeelError:
    """The error that an answer of this status is; only what another server may answer otherwise is unavailability.

    A server that is busy says 429, too, in plain text; only an eviction that a budget does not allow has that cause
    (kubernetes v1.20.8, pkg/registry/core/pod/storage/eviction.go and apiserver/pkg/server/filters/maxinflight.go).
    """
    said = _status_of(body)
    message, details = str(said.get("message") or body[:200]).strip(), said.get("details") or {}
    if status == TOO_MANY_REQUESTS and any(cause.get("reason") == "DisruptionBudget" for cause in details.get("causes") or ()):
        return EvictionBlockedError(message)
    if status == NOT_FOUND:
        return NotFoundError(f"{where}: Kubernetes API: {message}")
    text = f"{where}: Kubernetes API: HTTP {status}: {message}"
    return KubeUnavailableError(text) if status in PASSING else HostError(text, id="api-request-refused")


def _status_of(body: str) -> Manifest:
    """The API's own object of kind Status; empty where the answer is none."""
    try:
        said = json.loads(body)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
