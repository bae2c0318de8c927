"""SSH to the machines: a script over standard input, one session for each, and its answer."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from ipaddress import IPv4Address
from threading import Condition, Lock

import paramiko
from pydantic import SecretStr

from blocks.errors import CommandFailedError, DeadlineExceededError, HostError, HostUnreachableError
from blocks.ports import CommandResult, round_trips
from blocks.ssh_login import SshLogin
from blocks.ssh_shell import AT_WORK, GRACE_S, LOOK, OURS, Shell
from configs.errors import EvenkeelError
from configs.ssh import Become

TIMED_OUT = 124  # exit code of coreutils' timeout
NOT_FOUND = 127
NO_EXIT_CODE = -1  # paramiko's word for a channel that ended without one
BEGIN_S = 30  # for a login's start-up files, pam and sudo, on a loaded machine
MOST_REFUSALS, SESSION_FREED_S = 10, 0.2  # sshd counts a session for a moment after its end

ORPHANS_S = 120  # longer than all but the slowest commands; what takes longer is named, and asked for again
# A connection that ends, ends no command on the machine: what a killed run began there may still be at work.
ORPHANS = f"""
command -v pgrep >/dev/null || exit 127
for _ in $(seq {ORPHANS_S * 2}); do pgrep -f '{AT_WORK}' >/dev/null || exit 0; sleep 0.5; done
pgrep -f '{AT_WORK}' | tr '\\n' ' ' >&2; exit 1
"""


class SshHost:
    """One machine over one SSH connection, shared by all threads."""

    def __init__(
        self, name: str, address: IPv4Address, login: SshLogin, *, become: Become | None = None, password: SecretStr | None = None
    ) -> None:
        self.name = name
        self.address = address
        self._login, self._become, self._password = login, become, password
        self._opening = Lock()
        self._sessions, self._at_work = Condition(), 0

    def run(self, script: str, *, what: str, timeout_s: float = 60, check: bool = True) -> CommandResult:
        """See ports.Host. The deadline also holds on the machine: a cut connection leaves nothing running for ever."""
        noted = round_trips.get()
        if noted is not None:
            noted.append(f"{self.name}: {what}")
        try:
            result = self._exchange(self._opened(), OURS, script, what, timeout_s)
        except (paramiko.SSHException, OSError, EOFError) as error:
            self._login.close()
            raise HostUnreachableError(f"{self.name}: {what}: SSH broke: {str(error) or type(error).__name__}") from error
        if result.exit_code == TIMED_OUT:
            raise DeadlineExceededError(
                f"{self.name}: {what}: not done within {timeout_s:g} s, killed there", id="command-timeout"
            )
        if check and result.exit_code != 0:
            raise CommandFailedError(self.name, what, result.exit_code, result.stderr.strip()[-400:])
        return result

    def open(self) -> None:
        """Make the connection usable, with no command of an earlier one at work on the machine any more.

        Raises RefusedError for a changed host key, ConfigError for a refused login, HostUnreachableError while a
        command that a killed run has begun there does not end.
        """
        self._opened()

    def close(self) -> None:
        self._login.close()

    def _opened(self) -> paramiko.Transport:
        with self._opening:
            transport, is_new = self._login.open()
            if is_new:
                self._outwait_orphans(transport)
            return transport

    def _outwait_orphans(self, transport: paramiko.Transport) -> None:
        try:
            left = self._exchange(transport, LOOK, ORPHANS, "opening SSH", ORPHANS_S + GRACE_S)
        except (EvenkeelError, paramiko.SSHException, OSError, EOFError) as error:
            self._login.close()
            if isinstance(error, EvenkeelError):
                raise
            raise self._login.translated(error) from error
        if left.exit_code != 0:
            self._login.close()
        if left.exit_code == NOT_FOUND:
            raise HostError(
                f"{self.name}: no command pgrep, without which nobody knows what runs there: install it, as a rule package procps or "
                "procps-ng",
                id="host-command-missing",
            )
        if left.exit_code != 0:
            raise HostUnreachableError(
                f"{self.name}: what an earlier run began there is still at work after {ORPHANS_S} s, and nothing is begun "
                f"beside it: processes {left.stderr.strip()}: wait for them, or see with ps what they do, and kill them",
                id="host-command-left",
            )

    def _exchange(self, transport: paramiko.Transport, name: str, script: str, what: str, timeout_s: float) -> CommandResult:
        shell = Shell.new(name=name, become=self._become, asks=self._password is not None)
        with self._session(transport, timeout_s) as channel:
            channel.settimeout(BEGIN_S)
            channel.exec_command(shell.command(timeout_s))
            begun = self._begin(channel, shell, what)
            channel.settimeout(timeout_s + 2 * GRACE_S)
            exit_code, stdout, stderr = _talk(channel, script)
        result = shell.answer(exit_code, stdout, begun + stderr)
        if result is None and exit_code == TIMED_OUT:
            return CommandResult(exit_code, "", "")
        if result is None:
            raise CommandFailedError(self.name, what, exit_code, "bash ended amid the script")
        return result

    def _begin(self, channel: paramiko.Channel, shell: Shell, what: str) -> str:
        """Return once bash waits for the script; sudo gets the password when it asks, and once."""
        said, answered = "", False
        while not shell.has_begun(said):
            try:
                more = channel.recv_stderr(2**16)
            except TimeoutError as error:
                raise HostUnreachableError(
                    f"{self.name}: {what}: bash has not begun within {BEGIN_S} s after the login: see whether a start-up file there "
                    f"(~/.bashrc, /etc/profile.d) waits for something: {said.replace(shell.prompt, '').strip()[-200:] or 'nothing said'}",
                    id="host-shell-slow",
                ) from error
            if not more:
                raise self._not_begun(channel, shell, what, said)
            said += more.decode(errors="replace")
            if self._password is not None and shell.prompt in said and not answered:
                channel.sendall(f"{self._password.get_secret_value()}\n".encode())
                answered = True
            if said.count(shell.prompt) > 1:
                raise shell.wrong_password(self.name, what)
        return said

    def _not_begun(self, channel: paramiko.Channel, shell: Shell, what: str, said: str) -> Exception:
        said = channel.makefile("rb").read().decode(errors="replace") + said
        exit_code = channel.recv_exit_status()
        if exit_code == NO_EXIT_CODE:
            return paramiko.SSHException("the connection, or bash there, ended before the command did")
        return shell.refused(self.name, what, exit_code, said)

    @contextmanager
    def _session(self, transport: paramiko.Transport, timeout_s: float) -> Iterator[paramiko.Channel]:
        """A session; where sshd permits fewer at once than are wanted (MaxSessions), wait until one of ours ends."""
        with self._sessions:
            channel = self._next_session(transport, timeout_s)
            self._at_work += 1
        try:
            yield channel
        finally:
            channel.close()
            with self._sessions:
                self._at_work -= 1
                self._sessions.notify_all()  # of a connection that broke, too: whoever waits has to see that it has

    def _next_session(self, transport: paramiko.Transport, timeout_s: float) -> paramiko.Channel:
        refusals = 0
        while True:
            try:
                return transport.open_session(timeout=timeout_s)
            except paramiko.ChannelException as refused:
                if self._at_work:
                    self._sessions.wait()
                    continue
                refusals += 1
                if refusals == MOST_REFUSALS:
                    raise HostUnreachableError(
                        f"{self.name}: sshd permits no session: {refused.text}: see MaxSessions of its sshd_config", id="ssh-no-session"
                    ) from refused
                time.sleep(SESSION_FREED_S)


def _talk(channel: paramiko.Channel, script: str) -> tuple[int, str, str]:
    # The other direction must be read while this one is written, or a long answer blocks both.
    with ThreadPoolExecutor(2) as pool:
        out = pool.submit(channel.makefile("rb").read)
        err = pool.submit(channel.makefile_stderr("rb").read)
        channel.sendall(script.encode())
        channel.shutdown_write()
        stdout, stderr = out.result(), err.result()
    exit_code = channel.recv_exit_status()
    if exit_code == NO_EXIT_CODE:
        raise paramiko.SSHException("the connection, or bash there, ended before the command did")
    return exit_code, stdout.decode(errors="replace"), stderr.decode(errors="replace")
