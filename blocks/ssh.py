"""SSH to the machines: a script over standard input, one session for each, and its answer."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from ipaddress import IPv4Address
from threading import Condition, Lock

import paramiko
from pydantic import SecretStr

from blocks.errors import CommandFailedError, DeadlineExceededError, HostUnreachableError
from blocks.ports import CommandResult, round_trips
from blocks.ssh_login import SshLogin
from blocks.ssh_shell import GRACE_S, Shell
from configs.errors import EvenkeelError
from configs.ssh import Become

TIMED_OUT = 124  # exit code of coreutils' timeout
NO_EXIT_CODE = -1  # paramiko's word for a channel that ended without one
OPENING = "opening SSH"
BEGIN_S = 30  # for a login's start-up files, pam and sudo, on a loaded machine
MOST_REFUSALS, SESSION_FREED_S = 10, 0.2  # sshd counts a session for a moment after its end

LOOK_S, CHUNK = 0.5, 2**16  # between looks at what a command has said so far; its end is noticed at once


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
            result = self._exchange(script, what, timeout_s)
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
        try:
            self._exchange("", OPENING, BEGIN_S)
        except (paramiko.SSHException, OSError, EOFError) as error:
            self._login.close()
            raise self._login.translated(error) from error

    def close(self) -> None:
        self._login.close()

    def _exchange(self, script: str, what: str, timeout_s: float) -> CommandResult:
        with ExitStack() as session:
            shell, channel, begun = self._shell(session, what, timeout_s)
            exit_code, stdout, stderr = _talk(channel, script, timeout_s + 2 * GRACE_S)
        result = shell.answer(exit_code, stdout, begun + stderr)
        if result is None and exit_code == TIMED_OUT:
            return CommandResult(exit_code, "", "")
        if result is None:
            raise CommandFailedError(self.name, what, exit_code, "bash ended amid the script")
        return result

    def _shell(self, session: ExitStack, what: str, timeout_s: float) -> tuple[Shell, paramiko.Channel, str]:
        """A bash that waits for its script. None begins before the first one of its connection has seen that it may."""
        with self._opening:
            transport, is_new = self._login.open()
            if is_new:
                return self._first_shell(session, transport, timeout_s)
        return self._next_shell(session, transport, what, timeout_s)

    def _first_shell(self, session: ExitStack, transport: paramiko.Transport, timeout_s: float) -> tuple[Shell, paramiko.Channel, str]:
        try:
            return self._next_shell(session, transport, OPENING, timeout_s, looking=True)
        except (EvenkeelError, paramiko.SSHException, OSError, EOFError) as error:
            self._login.close()  # the next one is a first one again
            if isinstance(error, EvenkeelError):
                raise
            raise self._login.translated(error) from error

    def _next_shell(
        self, session: ExitStack, transport: paramiko.Transport, what: str, timeout_s: float, *, looking: bool = False
    ) -> tuple[Shell, paramiko.Channel, str]:
        shell = Shell.new(become=self._become, asks=self._password is not None)
        channel = session.enter_context(self._session(transport, timeout_s))
        channel.settimeout(BEGIN_S)
        channel.exec_command(shell.command(timeout_s, looking=looking))
        return shell, channel, self._begin(channel, shell, what)

    def _begin(self, channel: paramiko.Channel, shell: Shell, what: str) -> str:
        """Return once bash waits for the script; sudo gets the password when it asks, and once."""
        said, answered = "", False
        while not shell.has_begun(said):
            try:
                more = channel.recv_stderr(CHUNK)
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


def _talk(channel: paramiko.Channel, script: str, within_s: float) -> tuple[int, str, str]:
    """Send the script to a bash that waits for it, and read both its outputs until it ends.

    It reads all of the script before it begins, so nothing has to be read while it is written. In between, paramiko's thread
    keeps what comes, as much as the channel's window permits (2 MiB): this one need not wake for every line of it.
    """
    channel.settimeout(within_s)
    deadline = time.monotonic() + within_s
    channel.sendall(script.encode())
    channel.shutdown_write()
    stdout, stderr = bytearray(), bytearray()
    while not channel.status_event.wait(LOOK_S):
        while channel.recv_ready():
            stdout += channel.recv(CHUNK)
        while channel.recv_stderr_ready():
            stderr += channel.recv_stderr(CHUNK)
        if time.monotonic() > deadline:
            raise TimeoutError(f"no answer within {within_s:g} s")
    stdout += channel.makefile("rb").read()
    stderr += channel.makefile_stderr("rb").read()
    exit_code = channel.recv_exit_status()
    if exit_code == NO_EXIT_CODE:
        raise paramiko.SSHException("the connection, or bash there, ended before the command did")
    return exit_code, stdout.decode(errors="replace"), stderr.decode(errors="replace")
