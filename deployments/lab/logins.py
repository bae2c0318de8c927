"""How machines are entered: as in the field, where root can't log in everywhere, ports differ, and logins greet.

configs/lab.yaml says the same in the words of the config.
"""

from __future__ import annotations

from deployments.lab import cache, disks, keys
from deployments.lab.machines import Machine
from deployments.lab.shell import run

USER = "ops"  # in the root file system of all machines, with the lab's key
UID = 1000
ASKED, FREE = "phys-3", "phys-6"  # root can't log in there; sudo asks for a password, or does not
GREETING = ("vm-1", "phys-1", "phys-5")
BASHRC = """\
export LANG=zh_CN.UTF-8 LC_ALL=zh_CN.UTF-8
echo '欢迎登录 生产服务器，您的操作将被审计'
echo '仅限授权人员' >&2
printf '\\033[33mhello\\033[0m '
"""


def write(machine: Machine) -> None:
    """The machine's own sshd settings, sudoers and start-up files lie on its disk. It must be off."""
    root = "no" if machine.name in (ASKED, FREE) else "prohibit-password"
    # Of two settings sshd takes the first one: this file is read before lab.conf.
    disks.write(machine, "/etc/ssh/sshd_config.d/10-machine.conf", f"Port {machine.ssh_port}\nPermitRootLogin {root}\n")
    if machine.name in GREETING:
        disks.write(machine, "/root/.bashrc", BASHRC)
    if machine.name == FREE:
        disks.write(machine, f"/etc/sudoers.d/{USER}", f"{USER} ALL=(ALL) NOPASSWD:ALL\n", 0o440)
    if machine.name == ASKED:
        disks.write(machine, f"/etc/sudoers.d/{USER}", f"{USER} ALL=(ALL) ALL\n", 0o440)
        disks.write(machine, "/etc/shadow", _shadow(), 0o640)


def _shadow() -> str:
    """That of the root file system, where USER has no password yet."""
    hashed = run("openssl", "passwd", "-6", "-stdin", stdin=keys.read_secrets()["ops"] + "\n").strip()
    return (cache.ROOTFS / "etc/shadow").read_text().replace(f"\n{USER}:!:", f"\n{USER}:{hashed}:")
