"""One question to one member of etcd, over its JSON gateway, with its errors in our words."""

from __future__ import annotations

import socket
import ssl
from typing import Any
from urllib.parse import urlsplit

import httpx

from blocks.errors import EtcdUnavailableError, EtcdUnsupportedError, HostError
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

    Raises EtcdUnavailableError when it does not answer or the cluster is settling, HostError when it declines,
    EtcdUnsupportedError when it is an etcd of a kind that can't be asked this way.
    """
    timeout = http.timeout if timeout_s is None else timeout_s
    try:
        response = http.post(f"{endpoint}/v3/{path}", json=body or {}, timeout=timeout)
    except httpx.TransportError as error:
        other = _of_another_kind(endpoint, error)
        raise other or EtcdUnavailableError(f"{endpoint}: {type(error).__name__}: {error}") from error
    if not response.is_success:
        _refuse_unsupported(http, endpoint, response)
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
    unavailable = response.status_code == httpx.codes.SERVICE_UNAVAILABLE and not message.startswith("etcdserver: ")
    if unavailable and endpoint.startswith("https://"):  # not by etcd, but by its gateway: etcd#9785
        return EtcdUnavailableError(
            f"{said}: its JSON gateway does not reach its own etcd: it shows the server's certificate, so that of --cert-file "
            "there needs the extended key usage clientAuth beside serverAuth",
            id="etcd-gateway-not-accepted",
        )
    if any(word in message for word in PASSING):
        return EtcdUnavailableError(said)
    return HostError(said, id="etcd-request-refused")


def _of_another_kind(endpoint: str, error: httpx.TransportError) -> EtcdUnsupportedError | None:
    """What the other side is, where plain HTTP meets TLS, or one side does not accept the other's certificate."""
    said = str(error)
    if endpoint.startswith("http://"):
        lost = isinstance(error, httpx.RemoteProtocolError | httpx.ReadError)
        return _tls_only(endpoint) if lost and _speaks_tls(endpoint) else None
    if "CERTIFICATE_VERIFY_FAILED" in said:
        return EtcdUnsupportedError(
            f"{endpoint}: its certificate is not accepted: {said.partition('failed: ')[2].partition(' (_ssl')[0]}: it must come "
            "from etcd.tls.ca of the config and name this address",
            id="etcd-certificate-not-accepted",
        )
    if "_ALERT_" in said:
        return EtcdUnsupportedError(
            f"{endpoint}: its etcd does not accept the client's certificate ({said.partition('] ')[2].partition(' (_ssl')[0]}): "
            "compare etcd.tls.cert of the config with --trusted-ca-file there",
            id="etcd-client-not-accepted",
        )
    return _plain_only(endpoint) if "[SSL" in said and _speaks_http(endpoint) else None


def _tls_only(endpoint: str) -> EtcdUnsupportedError:
    return EtcdUnsupportedError(
        f"{endpoint}: its etcd serves TLS only, and plain HTTP is spoken: write its certificates as etcd.tls in the config",
        id="etcd-speaks-tls",
    )


def _plain_only(endpoint: str) -> EtcdUnsupportedError:
    return EtcdUnsupportedError(
        f"{endpoint}: its etcd serves plain HTTP, and the config has etcd.tls: leave that out, or give the members certificates first",
        id="etcd-speaks-plain",
    )


def _speaks_http(endpoint: str) -> bool:
    """Whether a plain request gets any answer in HTTP that is not about its being plain."""
    try:
        answer = httpx.get(f"http://{urlsplit(endpoint).netloc}/version", trust_env=False, timeout=2)
    except httpx.HTTPError:
        return False
    return "HTTPS server" not in answer.text


def _speaks_tls(endpoint: str) -> bool:
    """Whether a TLS handshake gets any answer in TLS, be it that a certificate is missing."""
    where = urlsplit(endpoint)
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with (
            socket.create_connection((where.hostname or "", where.port or 0), timeout=2) as plain,
            context.wrap_socket(plain, server_hostname=where.hostname),
        ):
            return True
    except ssl.SSLError as error:
        return "ALERT" in str(error.reason)
    except OSError:
        return False


def _refuse_unsupported(http: httpx.Client, endpoint: str, response: httpx.Response) -> None:
    """Raises EtcdUnsupportedError when what declined is no JSON gateway of etcd 3.4 or newer, and says what it is."""
    if "HTTPS server" in response.text:
        raise _tls_only(endpoint)
    if response.status_code != httpx.codes.NOT_FOUND or response.text.startswith("{"):
        return
    version = _version(http, endpoint)
    if not version:
        raise HostError(
            f"{endpoint}: no etcd answers there but another service: see etcd.client_port in the config",
            id="etcd-answer-unreadable",
        )
    if tuple(map(int, version.split(".")[:2])) < (3, 4):
        raise EtcdUnsupportedError(
            f"{endpoint}: its etcd is {version}, which knows no learners: upgrade it to 3.4 or newer, one minor version at a time",
            id="etcd-older-than-learners",
        )
    raise EtcdUnsupportedError(
        f"{endpoint}: its etcd {version} has no JSON gateway: take --enable-grpc-gateway=false from its unit and restart it",
        id="etcd-gateway-off",
    )


def _version(http: httpx.Client, endpoint: str) -> str:
    try:
        return str(http.get(f"{endpoint}/version").json()["etcdserver"])
    except (httpx.TransportError, ValueError, KeyError, TypeError):
        return ""
