"""The Kubernetes API over plain HTTPS, for the few calls that k3s makes by itself."""

import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .certificates import Pair
from .errors import UnreachableError

_TIMEOUT_S = 10


class ApiError(Exception):
    """The API server answered, but no."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


class KubeApi:
    """One API server as one identity: a client certificate or a bearer token."""

    def __init__(self, url: str, ca_file: Path, pair: Pair | None = None, bearer: str = "") -> None:
        self._url = url
        self._bearer = bearer
        tls = ssl.create_default_context(cafile=str(ca_file))
        if pair:
            tls.load_cert_chain(pair.cert, pair.key)
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=tls)
        )

    def get(self, path: str) -> Any:
        return self._call("GET", path)

    def post(self, path: str, body: dict[str, Any]) -> Any:
        return self._call("POST", path, body)

    def patch(self, path: str, body: dict[str, Any]) -> Any:
        return self._call("PATCH", path, body, "application/merge-patch+json")

    def answers(self, path: str) -> bool:
        """Whether `path` answers 200 just now."""
        try:
            self._call("GET", path)
        except (ApiError, UnreachableError):
            return False
        return True

    def watch(self, path: str) -> Iterator[dict[str, Any]]:
        """The events of a watch until the server ends it. A silent server is given up after a minute."""
        try:
            with self._opener.open(self._request("GET", path), timeout=60) as response:
                for line in response:
                    yield json.loads(line)
        except urllib.error.HTTPError as error:
            with error:
                raise ApiError(error.code, error.reason) from error
        except (OSError, ValueError) as error:
            raise UnreachableError(f"{self._url}: {error}") from error

    def _call(self, method: str, path: str, body: Any = None, content_type: str = "application/json") -> Any:
        request = self._request(method, path, body, content_type)
        try:
            with self._opener.open(request, timeout=_TIMEOUT_S) as response:
                text = response.read()
        except urllib.error.HTTPError as error:
            with error:
                raise ApiError(error.code, error.read(500).decode(errors="replace")) from error
        except OSError as error:
            raise UnreachableError(f"{self._url}: {getattr(error, 'reason', error)}") from error
        return json.loads(text) if text.startswith((b"{", b"[")) else text.decode()

    def _request(
        self, method: str, path: str, body: Any = None, content_type: str = "application/json"
    ) -> urllib.request.Request:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._url + path, data=data, method=method)
        request.add_header("Content-Type", content_type)
        if self._bearer:
            request.add_header("Authorization", f"Bearer {self._bearer}")
        return request
