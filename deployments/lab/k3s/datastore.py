"""The few questions k3s itself asks of etcd, over etcd's JSON gateway (the API server talks to etcd by itself)."""

import base64
import json
import ssl
import urllib.error
import urllib.request
from typing import Any

from .errors import StartError, UnreachableError

_TIMEOUT_S = 5


class Datastore:
    """An etcd cluster by its client URLs. The first endpoint that answers is asked."""

    def __init__(self, endpoints: list[str], tls: ssl.SSLContext | None = None) -> None:
        self.endpoints = endpoints
        # Never through an HTTP proxy that the environment happens to name.
        handlers: list[Any] = [urllib.request.ProxyHandler({})]
        if tls:
            handlers.append(urllib.request.HTTPSHandler(context=tls))
        self._opener = urllib.request.build_opener(*handlers)

    def read_prefix(self, prefix: str) -> dict[str, bytes]:
        """Every key under `prefix` with its value. The read is linearizable, so it proves a quorum as well."""
        answer = self._call("/v3/kv/range", {"key": _b64(prefix), "range_end": _b64(after_prefix(prefix))})
        return {
            base64.b64decode(kv["key"]).decode(): base64.b64decode(kv.get("value", "")) for kv in answer.get("kvs", [])
        }

    def create_first(self, prefix: str, key: str, value: bytes) -> bool:
        """Put `key` only if nothing at all lies under `prefix`: of two first servers, one wins. True if we did."""
        nothing_there = {
            "key": _b64(prefix),
            "range_end": _b64(after_prefix(prefix)),
            "target": "CREATE",
            "result": "EQUAL",
            "create_revision": "0",
        }
        put = {"request_put": {"key": _b64(key), "value": base64.b64encode(value).decode()}}
        answer = self._call("/v3/kv/txn", {"compare": [nothing_there], "success": [put]})
        return bool(answer.get("succeeded"))

    def _call(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        problems = []
        for endpoint in self.endpoints:
            try:
                return self._post(endpoint.rstrip("/") + path, body)
            except (OSError, ValueError) as error:
                problems.append(f"{endpoint}: {getattr(error, 'reason', error)}")
        raise UnreachableError("failed to reach the datastore: " + "; ".join(problems))

    def _post(self, url: str, body: dict[str, Any]) -> dict[str, Any]:
        request = urllib.request.Request(url, data=json.dumps(body).encode(), method="POST")
        try:
            with self._opener.open(request, timeout=_TIMEOUT_S) as response:
                answer: dict[str, Any] = json.load(response)
                return answer
        except urllib.error.HTTPError as error:
            with error:
                raise _refusal(url, error.code, error.read(300).decode(errors="replace").strip()) from error


def _refusal(url: str, status: int, text: str) -> Exception:
    if status != 404:
        return OSError(f"HTTP {status}: {text}")
    # A wrong address does not get better by waiting, and must not hide behind a right one.
    return StartError(
        f"{url}: no etcd client API is served there (2380 is etcd's peer port: give the client URL, port 2379)"
    )


def after_prefix(prefix: str) -> str:
    """The end of the range of all keys that begin with `prefix`."""
    return prefix[:-1] + chr(ord(prefix[-1]) + 1)


def _b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
