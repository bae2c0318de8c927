"""A machine that runs steps' scripts for real, with bash, in a private root.

Absolute paths in a script are turned into paths below the root, answers are turned back; what a test must not touch
(systemctl, docker, ip ...) is a function in machine.sh that keeps its state in the root. A mutation is a script that
left the root different, down to a file's inode: rewriting a file with its own content is one, too. What a script
answers and leaves is remembered: on an equal machine, in the same test or another, it has the same effect and is not run again.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from ipaddress import IPv4Address
from pathlib import Path

from blocks.errors import CommandFailedError, HostUnreachableError
from blocks.ports import CommandResult, round_trips
from blocks.ssh_shell import Shell
from tests.fakes import bash
from tests.fakes.disk import USUAL, Disk, State
from tests.fakes.faults import Faulty

ABSOLUTE = re.compile(r"(?<![\w./])/(?=(?:etc|var|usr/local|usr/lib/systemd|lib/systemd|opt|mnt|tmp|root|proc|run|sys)\b)")
HERE_DOCUMENT = re.compile(r"(<<'END'\n.*?\nEND\n)", re.DOTALL)

# A script with one of these asks for what no machine's state has: files' times, and what GlusterFS has left to heal.
ELSEWHERE = ("%Y", "volume heal", "volume replace-brick")
CLOCK = re.compile(r"@now([+-]\d+)@")  # as the stand-in for `date` prints it


@dataclass(frozen=True)
class Effect:
    """What a script did to a machine."""

    answer: CommandResult
    changes: bool
    after: State | None


EFFECTS: dict[object, Effect] = {}
"""By script and everything that was on the machine."""


class FakeHost(Faulty):
    """See ports.Host. `changed` is called after every mutation, so that a world can follow."""

    def __init__(
        self, name: str, address: str, root: Path, *, changed: Callable[[FakeHost], None] | None = None
    ) -> None:
        super().__init__()
        self.name, self.address = name, IPv4Address(address)
        self.root, self.disk = root, Disk(root)
        self.down = False
        self.sent: list[tuple[str, str]] = []
        """What for, and the script."""
        self.changed = changed
        self.tell("addresses", f"lo 127.0.0.1/8\neth0 {address}/24")
        self.call_it(name)
        self.write("/proc/mounts", "proc /proc proc rw 0 0\n")
        self.write("/etc/os-release", 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n')
        self.write("/etc/hosts", "127.0.0.1 localhost\n")

    def run(self, script: str, *, what: str, timeout_s: float = 60, check: bool = True) -> CommandResult:
        noted = round_trips.get()
        if noted is not None:
            noted.append(f"{self.name}: {what}")
        self.sent.append((what, script))
        if self.down:
            raise HostUnreachableError(f"{self.name}: {what}: SSH broke: it is down")
        with self.calling(what):
            result = self._answer(script, what)
        if check and result.exit_code != 0:
            raise CommandFailedError(self.name, what, result.exit_code, result.stderr.strip()[-400:])
        return result

    def open(self) -> None:
        if self.down:
            raise HostUnreachableError(f"{self.name}: opening SSH: it is down")

    def close(self) -> None:
        """Nothing to close."""

    # What a test sets up and looks at.

    def path(self, name: str) -> Path:
        return self.disk.folder / name.lstrip("/")

    def read(self, name: str) -> str:
        content = self.disk.read(name.lstrip("/"))
        if content is None:
            raise FileNotFoundError(name)
        return content.decode()

    def write(self, name: str, content: str | bytes, *, mode: int = USUAL) -> None:
        self.disk.write(name.lstrip("/"), content.encode() if isinstance(content, str) else content, mode)

    def tell(self, state: str, text: str) -> None:
        self.write(f".state/{state}", text + ("\n" if text and not text.endswith("\n") else ""))

    def state(self, state: str) -> str:
        return (self.disk.read(f".state/{state}") or b"").decode()

    def mount(self, path: str, kind: str) -> None:
        place = self.root / path.lstrip("/")
        mounts = self.read("/proc/mounts")
        self.write("/proc/mounts", f"{mounts}/dev/sdb1 {place} {kind} rw 0 0\n")
        self.tell("mountpoints", f"{self.state('mountpoints')}{place}")

    def call_it(self, hostname: str) -> None:
        self.tell("hostname", hostname)
        self.write("/etc/hostname", hostname + "\n")

    def unit(self, name: str, active: str = "active", enabled: str = "enabled") -> None:
        self.tell(f"units/{name}/active", active)
        self.tell(f"units/{name}/enabled", enabled)

    def mask(self, unit: str) -> None:
        (self.path("/etc/systemd/system") / f"{unit}.service").symlink_to("/dev/null")

    def unit_state(self, unit: str) -> tuple[str, str]:
        """What systemd says of a unit: active or not, enabled or not."""
        active, enabled = (self.state(f"units/{unit}/{what}").strip() for what in ("active", "enabled"))
        return active or "inactive", enabled or "disabled"

    def runs(self, unit: str) -> bool:
        return not self.down and self.unit_state(unit)[0] == "active"

    def _answer(self, script: str, what: str) -> CommandResult:
        before = self.disk.state()
        asked = None if before is None or any(word in script for word in ELSEWHERE) else (self._unrooted(script), before)
        effect = EFFECTS.get(asked)
        if effect is None:
            effect = self._effect(script)
            if asked is not None and effect.after is not None:
                EFFECTS[asked] = effect
        elif effect.after is not None and effect.after != before:
            self.disk.become(effect.after)
        if effect.changes:
            if self.changed is not None:
                self.changed(self)
            self.changes(f"{self.name}: {what}")
        answer = effect.answer
        return replace(answer, stdout=CLOCK.sub(lambda ahead: f"{time.time() + int(ahead[1])}", answer.stdout))

    def _effect(self, script: str) -> Effect:
        before = self.disk.signs()
        answer = self._bash(script)
        self.disk.changed()
        return Effect(answer, self.disk.signs() != before, self.disk.state())

    def _bash(self, script: str) -> CommandResult:
        shell = Shell.new()
        code, *printed = bash.run(self._rooted(script).encode(), self.disk.made(), shell.mark)
        unknown = self.root / "tmp/not-found"
        assert not unknown.exists(), f"{self.name}: no such command: {unknown.read_text()}"
        out, err = map(self._unrooted, printed)
        answer = shell.answer(code, out, err)
        assert answer is not None, f"{self.name}: bash ended with {code} amid the script: {err}"
        return answer

    def _rooted(self, script: str) -> str:
        parts = HERE_DOCUMENT.split(script)
        parts[::2] = [ABSOLUTE.sub(f"{self.root}/", part) for part in parts[::2]]
        return "".join(parts)

    def _unrooted(self, text: str) -> str:
        return text.replace(str(self.root), "")
