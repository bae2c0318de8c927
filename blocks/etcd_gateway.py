"""One question to one member of etcd, over its JSON gateway, with its errors in our words."""

from __future__ import annotations

from typing import Any

import httpx

from blocks.errors import EtcdUnavailableError, HostError
from configs.errors import EvenkeelError

# Said by a cluster that is settling, or by a member that must not be asked: another moment or member will do.
PASSING = (
    "unhealthy cluster",
    "not enough started members",
    "leader changed",
    "no leader",
    "timed out",
    "too many learner members",
    "in sync with leader",
    "not supported for learner",
    "request timeout",
    "server stopped",
)


def post(
    http: httpx.Client, endpoint: str, path: str, body: dict[str, Any] | None = None, *, timeout_s: float | None = None
) -> dict[str, Any]:
    """The member's answer to `path`, within the client's own timeout unless one is given.

    Raises EtcdUnavailableError when it does not answer or the cluster is settling, HostError when it declines.
    """
    timeout = http.timeout if timeout_s is None else timeout_s
    try:
        response = http.post(f"{endpoint}/v3/{path}", json=body or {}, timeout=timeout)
    except httpx.TransportError as error:
        raise EtcdUnavailableError(f"{endpoint}: {type(error).__name__}: {error}") from error
    if not response.is_success:
        raise _refusal(endpoint, path, response)
    try:
        answer: dict[str, Any] = response.json()
    except ValueError as error:
        raise HostError(
            f"{endpoint}: {path}: the answer is no JSON: another service answers there: see etcd.client_port in the config",
            id="etcd-answer-unreadable",
        ) from error
    return answer


def _refusal(endpoint: str, path: str, response: httpx.Response) -> EvenkeelError:
    try:
        message = str(response.json().get("error") or response.json().get("message"))
    except ValueError:
        message = f"HTTP {response.status_code}"
    said = f"{endpoint}: {path}: {message}"
    if any(word in message for word in PASSING):
        return EtcdUnavailableError(said)
    return HostError(said, id="etcd-request-refused")
