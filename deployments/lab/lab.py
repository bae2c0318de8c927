"""The lab as a whole."""

from __future__ import annotations

from deployments.lab import cache, disks, keys, layer, network, personality, power
from deployments.lab.machines import MACHINES, Machine
from deployments.lab.steps import Step, each, step, wait


def up() -> None:
    with cache.locked():
        keys.ensure()
        cache.LAKE.mkdir(exist_ok=True)
        with step("layer"):
            layer.ensure("dev")
        with step("disks"):
            each(MACHINES, power.off)
            each(MACHINES, disks.wipe)
            for m in MACHINES:
                (cache.disk(m) / "upper").mkdir(parents=True)
                personality.write(m)
        boot(list(MACHINES))


def boot(machines: list[Machine]) -> None:
    with step(f"booting {len(machines)} machines") as current:
        network.ensure_bridge()
        each(machines, lambda m: power.on(m, "dev"))
        wait_ssh(machines, current)


def wait_ssh(machines: list[Machine], current: Step) -> None:
    wait("sshd", lambda: " ".join(m.name for m in machines if not power.answers(m)), 60, current)


def power_off(machines: list[Machine]) -> None:
    with cache.locked(), step("power off"):
        each(machines, power.off)


def power_on(machines: list[Machine]) -> None:
    with cache.locked():
        boot(machines)
