"""What the lab is made of, each part built once into the cache and rebuilt only when its sources change."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from deployments.lab import bundle, cache, charts, etcd_tls, images, lake, packages, sources
from deployments.lab.helm import build as helm_command
from deployments.lab.shell import LabError, run
from deployments.lab.steps import each, step

STAMPS = cache.ROOT / "stamps"
SCRIPTS = cache.SOURCE / "build"


@dataclass(frozen=True)
class Part:
    """A cached thing: `made` is where it lies, `key` names what it is made from, `build` makes it."""

    name: str
    made: Path
    key: str
    build: Callable[[], None]

    @property
    def stamp(self) -> Path:
        return STAMPS / self.name

    def is_fresh(self) -> bool:
        return self.made.exists() and self.stamp.exists() and self.stamp.read_text() == self.key

    def ensure(self) -> None:
        if not self.is_fresh():
            self.stamp.unlink(missing_ok=True)
            self.build()
            self.stamp.write_text(self.key)


def ensure() -> None:
    """Every part is in the cache; the slow parts are built in parallel, with their logs under `cache.LOGS`."""
    STAMPS.mkdir(parents=True, exist_ok=True)
    slow = [part for part in (kubernetes(), rootfs()) if not part.is_fresh()]
    if slow:
        with step(f"building {' and '.join(p.name for p in slow)} (once; about 6 minutes; logs in {cache.LOGS})"):
            each(slow, Part.ensure)
    for part in (mariadb(), archives(), vendor_bundle(), vendor_charts(), helm(), *etcd(), *gluster()):
        if not part.is_fresh():
            with step(f"building {part.name}"):
                part.ensure()


def kubernetes() -> Part:
    """The Kubernetes binaries, from Debian's source."""
    return Part("kubernetes", cache.KUBERNETES, digest(SCRIPTS / "kubernetes.sh"), _build_kubernetes)


def rootfs() -> Part:
    """The root file system that all machines share."""
    return Part("rootfs", cache.ROOTFS, digest(SCRIPTS / "rootfs.sh"), _build_rootfs)


def mariadb() -> Part:
    """The small MariaDB tree."""
    return Part("mariadb", images.MARIADB, digest(SCRIPTS / "mariadb.sh"), _build_mariadb)


def archives() -> Part:
    """The image archives."""
    made_from = (cache.SOURCE / "images", cache.SOURCE / "images.py", cache.SOURCE / "archives.py")
    return Part("images", cache.IMAGES, digest(*made_from, also=rootfs().key + mariadb().key), images.build)


def vendor_bundle() -> Part:
    """What lies under /opt/k3s."""
    real = bundle.real()
    stand_in = digest(cache.SOURCE / "k3s", also=os.environ.get("LAB_K3S_VERSION", ""))
    made_from = _listing(real / "vendor") if real else stand_in
    key = digest(cache.SOURCE / "bundle.py", also=made_from + archives().key)
    return Part("bundle", cache.BUNDLE, key, bundle.build)


def vendor_charts() -> Part:
    """What lies under /opt/charts."""
    return Part("charts", cache.CHARTS, digest(charts.SOURCES, cache.SOURCE / "charts.py"), charts.build)


def helm() -> Part:
    """The machines' helm."""
    key = digest(cache.SOURCE / "helm", also=helm_command.library().version)
    return Part("helm", cache.HELM, key, lambda: helm_command.build(cache.HELM))


def etcd() -> list[Part]:
    """The machines' etcd, when it is not that of their root file system."""
    if not packages.other_etcd():
        return []
    key = digest(SCRIPTS / "etcd.sh", also=packages.etcd_version())
    return [Part("etcd", cache.ETCD, key, _build_etcd)]


def gluster() -> list[Part]:
    """The machines' GlusterFS, where their file lake is one."""
    if not lake.is_gluster():
        return []
    return [Part("gluster", cache.GLUSTER, digest(SCRIPTS / "gluster.sh", also=rootfs().key), _build_gluster)]


def layer_key() -> str:
    """Names everything that machines see below their own disks."""
    boot_files = digest(cache.SOURCE / "machine", cache.SOURCE / "layer.py", cache.SSH / "id_ed25519.pub")
    made = (kubernetes(), rootfs(), vendor_bundle(), vendor_charts(), helm(), *etcd(), *gluster())
    return digest(also=boot_files + "".join(part.key for part in made))


def golden_key() -> str:
    """Names everything that went into the initial state."""
    names = ("machines", "personality", "firewall", "logins", "etcd_tls", "lake", "sources", "targets", "platform", "golden")
    modules = [cache.SOURCE / f"{name}.py" for name in names]
    forms = sources.token_form() + etcd_tls.form() + lake.form()
    return digest(*modules, cache.SOURCE / "platform", cache.SECRETS, also=layer_key() + forms)


def digest(*paths: Path, also: str = "") -> str:
    """A short name for the content of files and folders. Comments and documents may change without changing it."""
    total = hashlib.sha256(also.encode())
    for path in paths:
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.suffix in (".md", ".pyc") or file.is_dir():
                continue
            content = str(file.readlink()).encode() if file.is_symlink() else _code(file)
            # Names within the folder only: another clone of the project finds the same keys.
            total.update(f"{file.relative_to(path)}\n".encode() + content)
    return total.hexdigest()[:16]


def _code(file: Path) -> bytes:
    lines = file.read_bytes().splitlines()
    mode = b"x" if os.access(file, os.X_OK) else b"-"
    return mode + b"\n".join(line for line in lines if line.strip() and not line.lstrip().startswith(b"#"))


def _listing(folder: Path) -> str:
    """The real bundle is too big to hash each time: names, sizes and times stand for it."""
    if not folder.is_dir():
        raise LabError(f"LAB_K3S_BUNDLE: {folder} is not a folder; it must hold k3s, install-k3s.sh and the airgap images")
    stats = {str(file): file.stat() for file in sorted(folder.iterdir())}
    return json.dumps({name: (stat.st_size, stat.st_mtime_ns) for name, stat in stats.items()})


def _build_kubernetes() -> None:
    log = _log("kubernetes")
    run(SCRIPTS / "kubernetes.sh", cache.KUBERNETES, cache.ROOT / "build-kubernetes", log=log, timeout=3600)


def _build_rootfs() -> None:
    run(SCRIPTS / "rootfs.sh", cache.ROOTFS, log=_log("rootfs"), timeout=1800)


def _build_mariadb() -> None:
    shutil.rmtree(images.MARIADB, ignore_errors=True)
    work = cache.ROOT / "build-mariadb"
    run(SCRIPTS / "mariadb.sh", images.MARIADB, work, log=_log("mariadb"), timeout=900)


def _build_etcd() -> None:
    release, version = packages.other_etcd(), packages.etcd_version()
    run(SCRIPTS / "etcd.sh", cache.ETCD, cache.ROOT / "build-etcd", release, version, log=_log("etcd"), timeout=900)


def _build_gluster() -> None:
    run(SCRIPTS / "gluster.sh", cache.GLUSTER, cache.ROOT / "build-gluster", cache.ROOTFS, log=_log("gluster"), timeout=900)


def _log(name: str) -> Path:
    log = cache.LOGS / f"{name}.log"
    log.unlink(missing_ok=True)
    return log
