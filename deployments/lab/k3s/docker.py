"""Docker on this machine: up, holding the image of every pod's sandbox, its bridge being the pods' network."""

import socket
import subprocess

from . import journal, paths


def answers() -> bool:
    """Whether dockerd takes connections."""
    with socket.socket(socket.AF_UNIX) as channel:
        try:
            channel.connect(str(paths.DOCKER_SOCKET))
        except OSError:
            return False
    return True


def warn_of_missing(pause_image: str) -> None:
    """Say so when docker lacks `pause_image`. Tars in agent/images are containerd's: with --docker k3s loads none."""
    if not _holds(pause_image):
        journal.warning(f"docker has no {pause_image}: no pod can start: docker load the airgap tar")


def pod_network() -> str:
    """The network that this node's pods get their addresses from, "" if docker does not say."""
    return _docker("network", "inspect", "--format", "{{(index .IPAM.Config 0).Subnet}}", "bridge")


def _holds(image: str) -> bool:
    return bool(_docker("image", "inspect", "--format", "{{.Id}}", image))


def _docker(*arguments: str) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    return "" if done.returncode else done.stdout.strip()
