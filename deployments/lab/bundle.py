"""The vendor's bundle as it lies under /opt/k3s on every machine: the k3s stand-in, or the operator's real k3s."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from deployments.lab import cache, images
from deployments.lab.shell import LabError, run

VENDOR = ("k3s", "install-k3s.sh", "k3s-airgap-images-amd64.tar")


def real() -> Path | None:
    """The folder of LAB_K3S_BUNDLE, where an operator keeps the real bundle."""
    given = os.environ.get("LAB_K3S_BUNDLE")
    return Path(given).expanduser().resolve() if given else None


def build() -> None:
    """The bundle is in the cache, complete."""
    building = cache.BUNDLE.with_suffix(".building")
    shutil.rmtree(building, ignore_errors=True)
    vendor = building / "vendor"
    vendor.mkdir(parents=True)
    source = real()
    if source:
        _copy_real(source / "vendor", vendor)
    else:
        run(cache.SOURCE / "k3s/build.sh", vendor)
        shutil.copy(images.AIRGAP, vendor)
    (building / "image").mkdir()
    for archive in (images.CUSTOMIZED, images.VENDOR, images.BAD_RELEASE):
        shutil.copy(archive, building / "image")
    shutil.rmtree(cache.BUNDLE, ignore_errors=True)
    building.rename(cache.BUNDLE)


def _copy_real(source: Path, vendor: Path) -> None:
    for name in VENDOR:
        if not (source / name).is_file():
            raise LabError(f"LAB_K3S_BUNDLE: {source / name} is missing; a bundle has vendor/{{{','.join(VENDOR)}}}")
        shutil.copy(source / name, vendor)
    (vendor / "k3s").chmod(0o755)
