"""The vendor's bundle as it lies under /opt/k3s on every machine: the k3s stand-in, or the operator's real k3s."""

from __future__ import annotations

import io
import json
import os
import shutil
import tarfile
from pathlib import Path

from deployments.lab import cache, images
from deployments.lab.shell import LabError, run

AIRGAP = "k3s-airgap-images-amd64.tar"
VENDOR = ("k3s", "install-k3s.sh", AIRGAP)
ADDONS = ("coredns", "metrics-server")
"""What a real k3s runs in pods of its own unless `--disable` names it. Each stands in the name of its image."""


def real() -> Path | None:
    """The folder of LAB_K3S_BUNDLE, where an operator keeps the real bundle."""
    given = os.environ.get("LAB_K3S_BUNDLE")
    return Path(given).expanduser().resolve() if given else None


def without_image() -> list[str]:
    """Add-ons of a real k3s that the airgap archive has no image for; the stand-in has no add-ons."""
    source = real()
    if not source:
        return []
    tags = " ".join(_tags(source / "vendor" / AIRGAP))
    return [addon for addon in ADDONS if addon not in tags]


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


def _tags(archive: Path) -> list[str]:
    """The tags of the images in an archive of `docker save`."""
    with tarfile.open(archive) as opened:
        manifest = opened.extractfile("manifest.json")
        return [tag for image in json.load(manifest or io.BytesIO(b"[]")) for tag in image["RepoTags"] or []]


def _copy_real(source: Path, vendor: Path) -> None:
    for name in VENDOR:
        if not (source / name).is_file():
            raise LabError(f"LAB_K3S_BUNDLE: {source / name} is missing; a bundle has vendor/{{{','.join(VENDOR)}}}")
        shutil.copy(source / name, vendor)
    (vendor / "k3s").chmod(0o755)
