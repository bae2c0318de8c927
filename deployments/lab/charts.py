"""The vendor's charts, packed as its repository serves them. The lab has no repository: they lie under /opt/charts."""

from __future__ import annotations

import gzip
import io
import re
import shutil
import tarfile
from pathlib import Path

from deployments.lab import cache

SOURCES = cache.SOURCE / "charts"


def build() -> None:
    """Each chart lies in the cache as NAME-VERSION.tgz; the same sources give the same bytes."""
    shutil.rmtree(cache.CHARTS, ignore_errors=True)
    cache.CHARTS.mkdir(parents=True)
    for chart in sorted(SOURCES.iterdir()):
        (cache.CHARTS / f"{chart.name}-{_version(chart)}.tgz").write_bytes(pack(chart))


def pack(chart: Path) -> bytes:
    """The chart's archive: its files below a folder of its name."""
    buffer = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as tar,
    ):
        for file in sorted(path for path in chart.rglob("*") if path.is_file()):
            entry = tarfile.TarInfo(f"{chart.name}/{file.relative_to(chart)}")
            entry.size = file.stat().st_size
            tar.addfile(entry, io.BytesIO(file.read_bytes()))
    return buffer.getvalue()


def _version(chart: Path) -> str:
    return str(re.findall(r"^version: (\S+)$", (chart / "Chart.yaml").read_text(), re.MULTILINE)[0])
