"""The machines' power: a machine that is on is a running container over a mounted disk."""

from __future__ import annotations

import socket
from pathlib import Path

from deployments.lab import cache, disks, lake, layer, network, personality
from deployments.lab.machines import Machine
from deployments.lab.shell import LabError, attempt, run

# Without the two limits runc fails: raising them takes CAP_SYS_RESOURCE, which the box may not have.
# crun refuses a hybrid cgroup tree, so runc is named.
RUNTIME = ("podman", "--runtime", "runc")
# In the field the sources have CPUs of their own; here a booting target must not slow down what they serve.
CPU_SHARES = {"source": 8192, "target": 1024}
OPTIONS = (
    "--privileged",
    "--systemd=always",
    "--cgroupns=private",
    "--ulimit=nofile=16384:16384",
    "--ulimit=nproc=8192:8192",
    "--stop-timeout=25",
    "--log-driver=none",
    "--no-hosts",
)


def running() -> set[str]:
    """The containers that run now. Podman's record outlives a killed monitor or a crashed box, so the process is checked."""
    listed = run("podman", "ps", "--format", "{{.Names}} {{.Pid}}", "--filter", "name=^lab-").split()
    return {name for name, pid in zip(listed[::2], listed[1::2], strict=True) if _is_alive(name, pid)}


def _is_alive(container: str, pid: str) -> bool:
    """Whether that process is the machine's own: it has the machine's network. The pid may have been reused."""
    try:
        return Path(f"/proc/{pid}/ns/net").samefile(network.namespace(container))
    except OSError:
        return False


def on(machine: Machine) -> None:
    """The machine boots from its disk, with whatever hostname it gave itself."""
    off(machine)
    merged = disks.mount(machine, layer.lower())
    network.plug(machine)
    disk = cache.disk(machine)
    folder = () if lake.is_gluster() else ("--volume", f"{cache.LAKE}:{lake.MOUNTED}")
    run(
        *RUNTIME, "run", "--detach", "--name", machine.container, *OPTIONS,
        f"--cpu-shares={CPU_SHARES[machine.role]}",
        "--hostname", (merged / "etc/hostname").read_text().strip(),
        "--network", f"ns:{network.namespace(machine.container)}",
        "--volume", f"{disk / 'docker'}:{personality.docker_folder(machine)}",
        *folder,
        "--rootfs", merged, "/usr/local/sbin/lab-init",
    )  # fmt: skip


def off(machine: Machine) -> None:
    """The power is cut: no process, mount or cable of the machine is left. Its disk stays."""
    gone = attempt("podman", "rm", "--force", "--time", "0", "--ignore", machine.container)
    if gone.returncode != 0 and attempt("podman", "container", "exists", machine.container).returncode != 1:
        raise LabError(f"{machine.container} can't be removed; type: podman rm -f {machine.container}\n{gone.stderr}")
    disks.unmount(machine)
    network.unplug(machine)


def shut_down(machine: Machine) -> None:
    """The machine was shut down cleanly and is off."""
    attempt("podman", "stop", "--time", "60", machine.container, timeout=90)
    off(machine)


def answers(machine: Machine) -> bool:
    """Whether sshd takes connections."""
    try:
        with socket.create_connection((machine.address, machine.ssh_port), timeout=1) as sock:
            return sock.recv(4) == b"SSH-"
    except OSError:
        return False
