"""What an answer of the API that is no success means for the caller."""

from __future__ import annotations

import json

import pytest

from blocks.errors import EvictionBlockedError, HostError, KubeUnavailableError, NotFoundError, TransientError
from blocks.kube_servers import refusal

BUDGET = {
    "kind": "Status",
    "status": "Failure",
    "message": "Cannot evict pod as it would violate the pod's disruption budget.",
    "reason": "TooManyRequests",
    "details": {"causes": [{"reason": "DisruptionBudget", "message": "The disruption budget web needs 2 healthy pods and has 2"}]},
    "code": 429,
}
"""As kubernetes v1.20.8 answers an eviction."""
BUSY = "Too many requests, please try again later.\n"
"""As it answers any request that it has no room for."""


def test_an_eviction_that_a_budget_does_not_allow_is_blocked() -> None:
    error = refusal("10.0.0.11", 429, json.dumps(BUDGET))

    assert isinstance(error, EvictionBlockedError)
    assert error.message == BUDGET["message"]


@pytest.mark.parametrize(
    "body", [BUSY, json.dumps({**BUDGET, "message": "busy", "details": {"retryAfterSeconds": 1}}), json.dumps({"details": None}), "", "[]"]
)
def test_a_server_that_is_busy_is_asked_again_and_no_budget_is_blamed(body: str) -> None:
    error = refusal("10.0.0.11", 429, body)

    assert isinstance(error, KubeUnavailableError)
    assert error.retryable
    assert error.message.startswith("10.0.0.11: Kubernetes API: HTTP 429: ")
    assert "disruption budget" not in error.message


@pytest.mark.parametrize(
    ("status", "kind"), [(404, NotFoundError), (401, HostError), (409, KubeUnavailableError), (500, KubeUnavailableError)]
)
def test_other_answers_are_what_their_status_says(status: int, kind: type[Exception]) -> None:
    error = refusal("10.0.0.11", status, json.dumps({"message": "so it is"}))

    assert type(error) is kind
    assert isinstance(error, TransientError) is (kind is KubeUnavailableError)
    assert error.message.endswith("so it is")
