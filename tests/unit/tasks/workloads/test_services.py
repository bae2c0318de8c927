"""What clients use answers, or every URL that does not is reported."""

import pytest

from blocks.errors import HostError, TransientError
from configs.http import HttpCheck
from tasks.engine.finding import FindingsError
from tasks.engine.outcome import Outcome
from tasks.workloads.services import HttpGet, verify_services
from tests.fakes.platform import platform
from tests.fakes.world import World
from tests.unit.tasks.cases import get

WEB = "http://10.0.0.100:30080/"


def services(world: World, http_get: HttpGet) -> Outcome:
    return verify_services.fn(world.run(), world.platform, http_get)


def silent(_check: HttpCheck) -> tuple[int, str]:
    raise TransientError("refused")


def test_a_url_that_needs_a_moment_is_asked_again(world: World) -> None:
    failures = [TransientError("refused"), TransientError("refused")]

    def flaky(check: HttpCheck) -> tuple[int, str]:
        if failures:
            raise failures.pop()
        return 200, str(check)

    assert services(world, flaky).why == f"answer: {WEB}"


def test_a_url_that_never_answers_is_refused(world: World) -> None:
    def dead(url: HttpCheck) -> tuple[int, str]:
        raise TransientError(f"{url}: ConnectError: refused")

    with pytest.raises(FindingsError) as refused:
        services(world, dead)
    assert str(refused.value) == (
        f"{WEB}: no answer: not within 30 s: ConnectError: refused: curl -v {WEB} [service-silent]"
    )


def test_an_http_error_is_refused_at_once(world: World) -> None:
    begun = world.time.now()

    def wrong(url: HttpCheck) -> tuple[int, str]:
        raise HostError(f"{url}: HTTP 500")

    with pytest.raises(FindingsError) as refused:
        services(world, wrong)
    assert str(refused.value) == f"{WEB}: HTTP 500, expected a status below 400: curl -i {WEB} [service-http-error]"
    assert world.time.now() == begun


def test_a_certificate_that_is_refused_is_no_http_error(world: World) -> None:
    def refuses(check: HttpCheck) -> tuple[int, str]:
        raise HostError(f"{check}: CERTIFICATE_VERIFY_FAILED: self-signed certificate", id="url-certificate-refused")

    with pytest.raises(FindingsError) as refused:
        services(world, refuses)
    assert str(refused.value) == (
        f"{WEB}: its certificate is refused: CERTIFICATE_VERIFY_FAILED: self-signed certificate: write {{url: URL, ca: FILE}} in "
        "http_checks, with its authority's certificate, or renew the certificate [url-certificate-refused]"
    )


def test_every_url_that_does_not_answer_is_a_refusal_of_its_own(world: World) -> None:
    world.platform = platform(http_checks=[WEB, "http://10.0.0.100:30081/"])

    with pytest.raises(FindingsError) as refused:
        services(world, silent)
    assert [finding.where for finding in refused.value.findings] == [WEB, "http://10.0.0.100:30081/"]


def test_a_platform_without_http_checks_says_so(world: World) -> None:
    world.platform = platform(http_checks=[])

    assert services(world, get).why == "no http_checks are configured"
