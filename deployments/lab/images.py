"""The platform's images, old and new, as archives in the cache. All small: Debian's busybox, and MariaDB for the TiDB."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from deployments.lab import archives, cache
from deployments.lab.archives import Image, Layer

NEW = "2.3.0"
OLD = "1.8.0"
BAD = "2.4.0"
PAUSE = "rancher/pause:3.1"
SERVICES = ("web", "orders", "node-agent")
MARIADB = cache.ROOT / "mariadb"

AIRGAP = cache.IMAGES / "k3s-airgap-images-amd64.tar"
CUSTOMIZED = cache.IMAGES / "k3s-ecology-customized-airgap-images.tar"
VENDOR = cache.IMAGES / "k3s-ecology-vendor-airgap-images.tar"
OLD_PLATFORM = cache.IMAGES / "old-platform.tar"
BAD_RELEASE = cache.IMAGES / "bad-release.tar"


def build() -> None:
    """All archives lie in the cache's images folder."""
    cache.IMAGES.mkdir(parents=True, exist_ok=True)
    base = _base()
    archives.write(AIRGAP, [Image(PAUSE, (base,), ("/idle.sh",))])
    archives.write(CUSTOMIZED, [_service(base, name, NEW) for name in SERVICES])
    archives.write(OLD_PLATFORM, [_service(base, name, OLD) for name in SERVICES])
    archives.write(VENDOR, [_tidb(base)])
    archives.write(BAD_RELEASE, [_bad(base, "web")])


def _base() -> bytes:
    """Debian's static busybox under all its names."""
    busybox = next(p for p in (cache.ROOTFS / "usr/bin/busybox", cache.ROOTFS / "bin/busybox") if p.exists())
    layer = Layer()
    layer.file("bin/busybox", busybox.read_bytes(), 0o755)
    applets = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True).stdout.split()
    for applet in applets:
        if applet != "busybox":
            layer.link(f"bin/{applet}", "busybox")
    for folder in ("tmp", "run", "etc", "root"):
        layer.folder(folder, 0o1777 if folder == "tmp" else 0o755)
    layer.file("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n")
    layer.file("etc/group", b"root:x:0:\n")
    layer.file("idle.sh", _script("idle.sh"), 0o755)
    return layer.finish()


def _service(base: bytes, name: str, version: str) -> Image:
    layer = Layer()
    answer = json.dumps({"service": name, "version": version}) + "\n"
    layer.file("www/index.json", answer.encode())
    layer.file("etc/httpd.conf", b"I:index.json\n.json:application/json\n")
    layer.file("service.sh", _script("service.sh"), 0o755)
    if name == "orders":
        layer.file("www/cgi-bin/take", _script("take.sh"), 0o755)
    return Image(f"ecology/{name}:{version}", (base, layer.finish()), ("/service.sh",))


def _bad(base: bytes, name: str) -> Image:
    """A release that ends as soon as it is started."""
    layer = Layer()
    layer.file("crash.sh", _script("crash.sh"), 0o755)
    return Image(f"ecology/{name}:{BAD}", (base, layer.finish()), ("/crash.sh",))


def _tidb(base: bytes) -> Image:
    """The database, its clients, and the backup console that works with them."""
    layer = Layer()
    layer.tree(MARIADB)
    layer.folder("data")
    for name in ("tidb.sh", "tidb-ctl.sh", "backup-ctl.sh"):
        layer.file(name, _script(name), 0o755)
    for name in ("archives.sh", "database.sh", "restores.sh"):
        layer.file(f"usr/local/lib/tidb-ctl/{name}", _script(f"tidb-ctl/{name}"))
    return Image(f"ecology/tidb:{NEW}", (base, layer.finish()), ("/tidb.sh",))


def _script(name: str) -> bytes:
    return Path(cache.SOURCE / "images" / name).read_bytes()
