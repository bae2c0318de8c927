"""The read-only layer between the shared root file system and the machines' disks.

It holds what all nine have in common and what changes with the lab: boot files, the Kubernetes binaries, helm, an etcd
other than the root file system's, GlusterFS, the vendor's bundle under /opt/k3s and charts under /opt/charts, the old platform's
images under /opt/k3s-old. Shared by mounting, so nine machines cost the disk and the page cache of one.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from deployments.lab import cache, images, keys, lake, logins, packages
from deployments.lab.shell import LabError, run


def path(key: str) -> Path:
    """Where the layer of that key lies."""
    return cache.LAYERS / key


def ensure(key: str) -> Path:
    """The layer of that key is complete; those of other keys are gone."""
    wanted = path(key)
    if not wanted.exists():
        building = cache.LAYERS / f"{key}.building"
        shutil.rmtree(building, ignore_errors=True)
        _build(building)
        building.rename(wanted)
    for other in _layers():
        if other != wanted:
            shutil.rmtree(other)
    return wanted


def lower() -> list[Path]:
    """The folders under the machines' disks, topmost first: the layer that the disks were made over."""
    layers = [entry for entry in _layers() if not entry.name.endswith(".building")]
    if len(layers) != 1:
        raise LabError("the machines' disks have no layer under them; type: lab up")
    return [layers[0], cache.ROOTFS]


def _layers() -> list[Path]:
    return list(cache.LAYERS.iterdir()) if cache.LAYERS.exists() else []


def _build(tree: Path) -> None:
    shutil.copytree(cache.SOURCE / "machine", tree, symlinks=True)
    _link(cache.KUBERNETES, tree / "usr/local/lib/kubernetes")
    _link(cache.BUNDLE, tree / "opt/k3s")
    _link(cache.CHARTS, tree / "opt/charts")
    _link(cache.HELM, tree)
    if packages.other_etcd():
        _link(cache.ETCD, tree)
    if lake.is_gluster():
        _link(cache.GLUSTER, tree)
    # As the old platform's installation left them: what a rollback to its images loads where they are missing.
    old = tree / "opt/k3s-old/image"
    old.mkdir(parents=True)
    os.link(images.OLD_PLATFORM, old / images.CUSTOMIZED.name)
    for home in (tree / "root", tree / "home" / logins.USER):
        _let_in(home)
    run("chown", "-R", "root:root", tree / "etc", tree / "root")
    run("chown", "-R", f"{logins.UID}:{logins.UID}", tree / "home" / logins.USER)


def _let_in(home: Path) -> None:
    """The lab's key opens the account whose home that is."""
    ssh = home / ".ssh"
    ssh.mkdir(parents=True)
    home.chmod(0o700)
    ssh.chmod(0o700)
    (ssh / "authorized_keys").write_text(keys.authorized())
    (ssh / "authorized_keys").chmod(0o600)


def _link(source: Path, target: Path) -> None:
    """Hard links, so that the copy costs nothing; both lie in the cache, on one file system."""
    for folder, _, files in os.walk(source):
        inside = target / Path(folder).relative_to(source)
        inside.mkdir(parents=True, exist_ok=True)
        for name in files:
            if not name.startswith("."):
                os.link(Path(folder) / name, inside / name)
