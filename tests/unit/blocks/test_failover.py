"""One loop over a service's endpoints: who is asked, in which order, and what is said when nobody answers."""

from __future__ import annotations

import math
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from blocks.errors import EtcdUnavailableError, HostError, KubeUnavailableError
from blocks.failover import Failover


class Service:
    """Endpoints of which some are silent, and some decline."""

    def __init__(self, *, silent: str = "", declining: str = "") -> None:
        self.silent, self.declining = set(silent), set(declining)
        self.asked = ""

    def __call__(self, endpoint: str) -> str:
        self.asked += endpoint
        if endpoint in self.silent:
            raise EtcdUnavailableError(f"{endpoint}: no answer")
        if endpoint in self.declining:
            raise HostError(f"{endpoint}: declined")
        return endpoint


def failover(passing: tuple[type[HostError], ...] = ()) -> Failover:
    return Failover("abc", nobody="etcd: nobody answered", unavailable=EtcdUnavailableError, passing=passing)


def test_the_endpoint_that_answered_last_is_asked_first() -> None:
    service, endpoints = Service(silent="a"), failover()

    assert endpoints.ask(service) == "b"
    assert endpoints.ask(service) == "b"
    assert service.asked == "abb"


def test_one_that_was_silent_is_asked_last() -> None:
    service, endpoints = Service(silent="a"), failover()
    endpoints.ask(service)

    assert endpoints.order == ("b", "c", "a")


def test_every_reason_is_quoted_without_its_id_when_nobody_answers() -> None:
    with pytest.raises(EtcdUnavailableError) as error:
        failover().ask(Service(silent="abc"))

    assert str(error.value) == "etcd: nobody answered: a: no answer; b: no answer; c: no answer [etcd-unavailable]"


def test_another_error_is_an_answer() -> None:
    service = Service(declining="a")

    with pytest.raises(HostError, match="a: declined"):
        failover().ask(service)
    assert service.asked == "a"


def test_a_transient_error_of_another_kind_is_an_answer_too() -> None:
    def settling(_endpoint: str) -> str:
        raise KubeUnavailableError("not this service's")

    with pytest.raises(KubeUnavailableError):
        failover().ask(settling)


def test_errors_that_are_passing_make_it_go_on() -> None:
    assert failover(passing=(HostError,)).ask(Service(declining="ab")) == "c"


def test_after_the_deadline_no_other_endpoint_is_asked() -> None:
    service = Service(silent="ab")

    with pytest.raises(EtcdUnavailableError, match=r"nobody answered: a: no answer \["):
        failover().ask(service, ends=-math.inf)
    assert service.asked == "a"


def test_a_late_answer_is_an_answer() -> None:
    assert failover().ask(Service(), ends=-math.inf) == "a"


def test_preferred_endpoints_are_asked_first_in_their_order() -> None:
    endpoints = failover()
    endpoints.prefer(["c", "b"])

    assert endpoints.order == ("b", "c", "a")


def test_threads_share_the_order_and_lose_no_endpoint() -> None:
    endpoints = failover()

    def question(endpoint: str) -> str:
        time.sleep(0.0001)
        if endpoint != "c":
            raise EtcdUnavailableError(endpoint)
        return endpoint

    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(lambda _: endpoints.ask(question), range(200))) == {"c"}
    assert (sorted(endpoints.order), endpoints.order[0]) == (["a", "b", "c"], "c")
