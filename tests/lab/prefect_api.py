"""Requests to Prefect's server, sent as its own clients send them."""

from __future__ import annotations

from typing import Any

from prefect.client.base import PrefectHttpxSyncClient

from deployments import orchestrator

# Longer than the server itself waits for its SQLite (60 s): its answer arrives, rather than our own timeout.
DEADLINE_S = 90


def post(path: str, body: dict[str, Any]) -> Any:
    with _asking() as client:
        return client.post(path, json=body).json()


def get(path: str) -> Any:
    with _asking() as client:
        return client.get(path).json()


def _asking() -> PrefectHttpxSyncClient:
    """Prefect's own: its server says 503 while its SQLite is locked, and its own clients retry."""
    return PrefectHttpxSyncClient(base_url=f"{orchestrator.UI}/api/", timeout=DEADLINE_S, trust_env=False)
