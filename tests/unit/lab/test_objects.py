"""Faults that are objects: manifests that a server gets, and that nothing is left of."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from deployments.lab import cache, faults, objects

NAMES = sorted(path.stem for path in objects.FOLDER.glob("*.yaml"))
KUBECTL = """#!/bin/sh
echo "$*" >> {log}
case "$2" in apply) cp "$4" {log}.applied ;; esac
"""


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What a k3s in the PATH was asked; what is kept lies in a folder of the test's own."""
    (tmp_path / "k3s").write_text(KUBECTL.format(log=tmp_path / "log"))
    (tmp_path / "k3s").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(objects, "KEPT", str(tmp_path))
    return tmp_path / "log"


def sh(script: str) -> None:
    subprocess.run(["sh", "-eu", "-s"], input=script, text=True, check=True)


@pytest.mark.parametrize("name", NAMES)
def test_every_manifest_is_a_faults_own(name: str) -> None:
    assert f"{name}.yaml" in faults.FAULTS[name].inject
    manifests = list(yaml.safe_load_all((objects.FOLDER / f"{name}.yaml").read_text()))
    assert all({"kind", "apiVersion", "metadata"} <= manifest.keys() for manifest in manifests)


def test_what_was_applied_is_awaited_and_deleted_again_once(log: Path) -> None:
    sh(objects.applied("budget-never", awaited="-n strict rollout status deployment/gateway"))
    assert (log.with_name("log.applied")).read_text() == (objects.FOLDER / "budget-never.yaml").read_text()

    sh(objects.deleted("budget-never"))
    sh(objects.deleted("budget-never"))

    asked = log.read_text().splitlines()
    assert [line.partition(" -f")[0] for line in asked] == [
        "kubectl apply",
        "kubectl -n strict rollout status deployment/gateway --timeout=90s",
        "kubectl delete --ignore-not-found --timeout=90s",
    ]


@pytest.mark.parametrize("folder", ["objects", "platform"])
def test_pods_use_images_that_the_machines_have_and_are_never_pulled(folder: str) -> None:
    for path in (cache.SOURCE / folder).glob("*.yaml"):
        for container in containers(list(yaml.safe_load_all(path.read_text()))):
            assert container["image"].startswith("ecology/")
            assert container["imagePullPolicy"] == "IfNotPresent"


def containers(part: object) -> list[dict[str, str]]:
    if isinstance(part, dict):
        own = part.get("containers") if isinstance(part.get("containers"), list) else []
        return [*own, *(found for value in part.values() for found in containers(value))]
    return [found for value in part for found in containers(value)] if isinstance(part, list) else []
