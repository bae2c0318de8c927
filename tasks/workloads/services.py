"""What clients use of the platform over HTTP, requested as they request it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from blocks.errors import DeadlineExceededError, HostError
from configs.http import HttpCheck
from configs.platform import Platform
from tasks.engine.check import check
from tasks.engine.finding import Checked, Findings
from tasks.engine.waiting import wait_until

CERTIFICATE = "write {url: URL, ca: FILE} in http_checks, with its authority's certificate, or renew the certificate"
HttpGet = Callable[[HttpCheck], tuple[int, str]]


@check("verify services", after_acts=True)
def verify_services(platform: Platform, http_get: HttpGet) -> Checked:
    """Every URL of `http_checks` answers with a status below 400."""
    found = Findings("http_checks")
    urls = ", ".join(map(str, platform.http_checks))
    for asked in platform.http_checks:
        _judge_url(found, asked, http_get, timeout_s=platform.timeouts.vip_s)
    return found.checked(f"answer: {urls}" if urls else "no http_checks are configured")


def _judge_url(found: Findings, asked: HttpCheck, http_get: HttpGet, *, timeout_s: float) -> None:
    """A URL that does not answer is asked again until the time is up; an HTTP error is an answer, and so is a certificate."""
    url = str(asked)
    awaited = f"{url} answers"
    try:
        wait_until(awaited, partial(http_get, asked), timeout_s=timeout_s)
    except DeadlineExceededError as error:
        reason = error.message.removeprefix(f"{awaited}: ").replace(f"{url}: ", "")
        found.refuse("service-silent", f"no answer: {reason}", f"curl -v {url}", where=url)
    except HostError as error:
        reason = error.message.removeprefix(f"{url}: ")
        if error.id == "url-certificate-refused":
            found.refuse("url-certificate-refused", f"its certificate is refused: {reason}", CERTIFICATE, where=url)
        else:
            found.refuse("service-http-error", f"{reason}, expected a status below 400", f"curl -i {url}", where=url)
