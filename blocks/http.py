"""What a client outside sees: plain HTTP requests, one connection each."""

from __future__ import annotations

import httpx

from blocks.errors import HostError, TransientError


def get(url: str, *, timeout_s: float = 5) -> tuple[int, str]:
    """Status and body. Raises TransientError when nobody answers, HostError for a status of 400 and more."""
    try:
        response = httpx.get(url, timeout=timeout_s, trust_env=False, follow_redirects=True)
    except httpx.TransportError as error:
        raise TransientError(f"{url}: {type(error).__name__}: {error}") from error
    if response.is_error:
        raise HostError(f"{url}: HTTP {response.status_code}")
    return response.status_code, response.text
