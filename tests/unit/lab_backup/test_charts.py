"""The vendor's chart, packed and rendered as Helm does it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import helm_python
import pytest
import yaml

from deployments.lab import cache, charts

CHART = charts.SOURCES / "uap-backup-ctl"


def rendered(values: dict[str, Any]) -> dict[str, Any]:
    with helm_python.Chart.load_archive(charts.pack(CHART)) as chart:
        texts = chart.render(values, name="backup-ctl", namespace="uap").values()
    return {document["kind"]: document for text in texts for document in yaml.safe_load_all(text)}


def pod(values: dict[str, Any]) -> Any:
    return rendered(values)["Deployment"]["spec"]["template"]["spec"]


def test_the_archive_has_the_vendors_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "CHARTS", tmp_path / "charts")
    charts.build()
    assert [file.name for file in cache.CHARTS.iterdir()] == ["uap-backup-ctl-6.5.2-20231108-1832.tgz"]


def test_the_same_sources_give_the_same_bytes() -> None:
    assert charts.pack(CHART) == charts.pack(CHART)


def test_values_are_the_pods_environment() -> None:
    env = pod({"common": {"env": {"ENV_EXPIRED_DAYS": "30", "ENV_GLUSTERFS_NODE_IPS": "10.99.0.11,10.99.0.12"}}})["containers"][0]["env"]
    assert {"name": "ENV_EXPIRED_DAYS", "value": "30"} in env
    assert {"name": "ENV_GLUSTERFS_NODE_IPS", "value": "10.99.0.11,10.99.0.12"} in env


def test_the_console_runs_on_selected_nodes_only() -> None:
    assert pod({"common": {"nodeSelectorValue": "1"}})["nodeSelector"] == {"uap-backup": "1"}
    assert "nodeSelector" not in pod({})


def test_the_account_may_work_on_restores_and_nothing_else_of_the_platform() -> None:
    role = rendered({})["Role"]
    assert role["metadata"]["namespace"] == "iottepa"
    assert {group for rule in role["rules"] for group in rule["apiGroups"]} == {"pingcap.com"}
