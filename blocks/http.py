"""What a client outside sees: plain HTTP requests, one connection each, past any proxy of the operator's shell."""

from __future__ import annotations

import ssl

import httpx

from blocks.errors import HostError, TransientError
from blocks.etcd_tls import why
from configs.errors import ConfigError
from configs.http import HttpCheck

REFUSED = "CERTIFICATE_VERIFY_FAILED"  # OpenSSL's word; httpx keeps no more of it than the text


def get(check: HttpCheck, *, timeout_s: float = 5) -> tuple[int, str]:
    """Status and body. Raises TransientError when nobody answers, HostError for a status of 400 and more, and for a certificate
    that does not come from the authority that the config names, or else from a public one.
    """
    url, ca = str(check.url), str(check.ca or "")
    try:
        response = httpx.get(url, timeout=timeout_s, trust_env=False, follow_redirects=True, verify=trust_of(ca))
    except httpx.TransportError as error:
        if REFUSED in str(error):
            raise HostError(f"{url}: {error}", id="url-certificate-refused") from error
        raise TransientError(f"{url}: {type(error).__name__}: {error}", id="url-unreachable") from error
    if response.is_error:
        raise HostError(f"{url}: HTTP {response.status_code}", id="url-error-status")
    return response.status_code, response.text


def trust_of(ca: str) -> ssl.SSLContext | bool:
    """As httpx takes it: the authorities in this file, or the public ones. Raises ConfigError for a file that can't be read."""
    if not ca:
        return True
    try:
        context = ssl.create_default_context(cafile=ca)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"http_checks: ca: {ca}: {why(error)}: write a readable PEM file", id="http-ca-unreadable") from error
    # Python 3.13 wants extensions that an authority of one's own often lacks; browsers, which clients are, don't.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context
