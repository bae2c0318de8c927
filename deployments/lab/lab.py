"""The lab as a whole: up, reset, down, power."""

from __future__ import annotations

import shutil
import time

from deployments.lab import (
    cache,
    disks,
    etcd_tls,
    golden,
    initial,
    keys,
    lake,
    layer,
    network,
    packages,
    parts,
    personality,
    power,
    sources,
    targets,
    weight,
)
from deployments.lab.machines import MACHINES, TARGETS, Machine
from deployments.lab.shell import LabError
from deployments.lab.steps import console, each, step, wait

# Nine machines and four API servers start at once, possibly on two cores.
SETTLE_SECONDS = 300
SSH_SECONDS = 60


def up(fresh: bool) -> None:
    """The lab is in its initial state; what is already built, saved or running is used.

    Running machines that look untouched are kept as they are, unless `fresh` is set.
    """
    with cache.locked():
        packages.ensure()
        keys.ensure()
        etcd_tls.ensure()
        parts.ensure()
        network.ensure_bridge()
        wanted = parts.golden_key()
        if golden.key() != wanted:
            _make(wanted, parts.layer_key())
        elif not fresh and len(power.running()) == len(MACHINES) and not _check():
            return
        _reset()


def reset() -> None:
    """The lab is in its initial state, from the golden copy, whatever was done to it."""
    with cache.locked():
        packages.ensure()
        network.ensure_bridge()
        if golden.key() != parts.golden_key():
            console.print("[yellow]![/yellow] the lab's sources changed since the initial state was made: `lab up` rebuilds it")
        _reset()


def down(purge: bool) -> None:
    """No process, mount or network of the lab is left; with `purge` no file of its machines either."""
    with cache.locked(), step("everything off"):
        each(MACHINES, power.off)
        network.remove_bridge()
        if purge:
            golden.forget()
            quickly_made = (cache.BUNDLE, cache.CHARTS, cache.ETCD, cache.GLUSTER, cache.HELM, cache.IMAGES, cache.LAYERS)
            for folder in (cache.ROOT / "machines", cache.LAKE, *quickly_made):
                shutil.rmtree(folder, ignore_errors=True)


def power_off(machines: list[Machine]) -> None:
    """The machines are off, by a power cut: none of them was shut down."""
    with cache.locked(), step(f"power off {' '.join(m.name for m in machines)}"):
        each(machines, power.off)


def power_on(machines: list[Machine]) -> None:
    """The machines are on and take SSH; those that were already on are not touched."""
    with cache.locked():
        network.ensure_bridge()
        running = power.running()
        off = [m for m in machines if m.container not in running]
        if off:
            _boot(off)


def _check() -> str:
    with step("checking whether the lab is in its initial state"):
        return initial.missing()


def _make(golden_key: str, layer_key: str) -> None:
    """The initial state is built from scratch and saved, under the key of the sources as they were at the beginning."""
    golden.discard()
    with step("blank disks"):
        _blank(layer_key)
    _boot(list(MACHINES))
    with step("file lake") as current:
        lake.install(current)
    with step("sources: etcd, k3s, keepalived, the new platform") as current:
        sources.install(current)
    with step("targets: the old k3s and the old platform") as current:
        targets.install(current)
    _settle(0)
    with step("shutting down and saving the initial state"):
        sources.quiesce()
        each(MACHINES, power.shut_down)
        golden.save(golden_key)


def _blank(layer_key: str) -> None:
    each(MACHINES, power.off)
    shutil.rmtree(cache.LAKE, ignore_errors=True)
    cache.LAKE.mkdir()
    each(MACHINES, disks.wipe)
    layer.ensure(layer_key)
    each(MACHINES, personality.write)


def _reset() -> None:
    field = weight.is_field()
    with step("initial disks"):
        each(MACHINES, power.off)
        golden.restore()
        if field:
            each(TARGETS, weight.write)
    since = time.time()
    _boot(list(MACHINES))
    _settle(since)


def _boot(machines: list[Machine]) -> None:
    with step(f"booting {' '.join(m.name for m in machines)}") as current:
        each(machines, power.on)
        wait("sshd", lambda: " ".join(m.name for m in machines if not power.answers(m)), SSH_SECONDS, current)


def _settle(since: float) -> None:
    with step("waiting for the initial state") as current:
        try:
            wait("initial state", lambda: initial.missing(since), SETTLE_SECONDS, current, pause=1)
        except LabError as late:
            raise LabError(f"{late}\n`lab status` shows the machines; `lab reset` tries again") from late
