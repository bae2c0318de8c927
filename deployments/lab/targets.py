"""The targets as the move finds them: an old k3s cluster over all six, clashing names, leftovers."""

from __future__ import annotations

from deployments.lab import bundle, cache, images, keys, personality, platform
from deployments.lab.machines import API_PORT, TARGETS, Machine
from deployments.lab.root_shell import load_images, sh
from deployments.lab.sources import INSTALL, disabled
from deployments.lab.steps import Step, each

SERVER, *AGENTS = TARGETS
SERVER_FLAGS = f"--https-listen-port {API_PORT} --kube-apiserver-arg service-node-port-range=1-65535 --docker"
LEFTOVER = f"docker run --name leftover --entrypoint /bin/true ecology/node-agent:{images.OLD}"


def install(current: Step) -> None:
    """The old platform runs on the six targets, phys-1 its only server."""
    current.note = "old images"
    each(TARGETS, lambda machine: load_images(machine, cache.BUNDLE / "vendor" / bundle.AIRGAP))
    each(TARGETS, lambda machine: load_images(machine, images.OLD_PLATFORM))
    current.note = "old k3s server"
    without = " ".join(f"--disable {addon}" for addon in disabled())
    _k3s(SERVER, f"K3S_TOKEN={_token()}", f"server --node-name {personality.hostname(SERVER)} {without} {SERVER_FLAGS}")
    current.note = "old k3s agents"
    join = f"K3S_TOKEN={_token()} K3S_URL=https://{SERVER.address}:{API_PORT}"
    each(AGENTS, lambda machine: _k3s(machine, join, "--docker"))
    each(TARGETS, lambda machine: sh(machine, LEFTOVER))
    platform.deploy_old(SERVER, len(TARGETS), current)


def _k3s(machine: Machine, environment: str, flags: str) -> None:
    sh(machine, INSTALL.format(environment=environment, flags=flags), timeout=300)


def _token() -> str:
    return keys.read_secrets()["k3s_old_token"]
