"""How figures reach Prometheus: in a file for node_exporter's textfile collector, or by a pushgateway."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import httpx
from prometheus_client import CollectorRegistry, Gauge, push_to_gateway, write_to_textfile

from blocks.ports import Figure

JOB = "evenkeel"
TIMEOUT_S = 10  # a run that has ended waits for it


def write_figures(figures: Iterable[Figure], folder: Path, labels: Mapping[str, str]) -> Path:
    """One file for these labels, in place of the last one, whole at any time. Raises OSError."""
    path = folder / f"{'-'.join((JOB, *labels.values()))}.prom"
    write_to_textfile(str(path), _registry(figures, labels))
    return path


def push_figures(figures: Iterable[Figure], url: str, labels: Mapping[str, str]) -> None:
    """In place of what was pushed with these labels before. Raises OSError, or httpx.HTTPError when the gateway does not take it."""
    push_to_gateway(url, JOB, _registry(figures, {}), dict(labels), TIMEOUT_S, _past_proxies)


def _registry(figures: Iterable[Figure], labels: Mapping[str, str]) -> CollectorRegistry:
    registry, gauges = CollectorRegistry(), dict[str, Gauge]()
    for one in figures:
        its = {**labels, **dict(one.labels)}
        gauge = gauges.get(one.name) or gauges.setdefault(one.name, Gauge(one.name, one.means, list(its), registry=registry))
        (gauge.labels(**its) if its else gauge).set(one.value)
    return registry


def _past_proxies(
    url: str, method: str, timeout: float | None, headers: list[tuple[str, str]], data: bytes
) -> Callable[[], None]:
    """The library's own handler would take a proxy of the operator's shell."""

    def send() -> None:
        httpx.request(method, url, content=data, headers=headers, timeout=timeout, trust_env=False).raise_for_status()

    return send
