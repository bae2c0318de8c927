"""The bundle that the lab runs: which add-ons of a real k3s it can run."""

from pathlib import Path

import pytest

from deployments.lab import archives, bundle, sources

LAYER = archives.Layer().finish()


@pytest.fixture
def airgap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the airgap archive of a real bundle lies."""
    (tmp_path / "vendor").mkdir()
    monkeypatch.setenv("LAB_K3S_BUNDLE", str(tmp_path))
    return tmp_path / "vendor" / bundle.AIRGAP


def write(airgap: Path, *tags: str) -> None:
    archives.write(airgap, [archives.Image(tag, (LAYER,), ("/pause",)) for tag in tags])


def test_add_ons_without_an_image_are_disabled(airgap: Path) -> None:
    write(airgap, "rancher/pause:3.1")

    assert sources.disabled() == ["servicelb", "traefik", "local-storage", "coredns", "metrics-server"]


def test_add_ons_with_an_image_run(airgap: Path) -> None:
    write(airgap, "rancher/pause:3.1", "rancher/coredns-coredns:1.8.3", "rancher/metrics-server:v0.3.6")

    assert sources.disabled() == ["servicelb", "traefik", "local-storage"]


def test_the_stand_in_has_no_add_ons(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LAB_K3S_BUNDLE", raising=False)

    assert bundle.without_image() == []
