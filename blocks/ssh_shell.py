"""The shell on a machine: bash whatever the login shell is, root by sudo where the login is not, and an answer in a frame.

Pure. The command line is the same for every script but for its mark, so it can stand in any process list; the script itself
comes by standard input, and only once bash has said that it has begun.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from blocks.errors import CommandFailedError, HostError, HostUnreachableError
from blocks.ports import CommandResult
from configs.errors import EvenkeelError
from configs.ssh import Become

OURS = "evenkeel"  # what runs scripts, in process lists
LOOK = "evenkeel-look"  # what looks for those that an earlier run has left
AT_WORK = f"^bash --norc -c .* {OURS} [0-9a-f]{{16}}$"  # for pgrep -f
ORPHANS_S = 120  # longer than all but the slowest commands; what takes longer is named, and asked for again
GRACE_S = 10  # for the machine to kill what is over its time and to say so
SHOWN = 300  # characters of what a login prints

# Between single quotes, so without any, and without backslashes, line ends and "!": sh, bash, fish and csh read it alike.
# PATH is what sshd, pam or sudo give, which may lack half of the usual folders. What a script starts reads nothing.
ROUND = "export PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C; unset LANGUAGE; cd /; "
# The answer comes in one piece: every piece is a packet, and a hundred small ones cost both ends more than the login does.
PROGRAM = (
    f'{ROUND}echo "begin-$1" >&2; script=$(cat); exec </dev/null; '
    'said=$(echo; echo "begin-$1"; (eval "$script"); code=$?; echo; echo "end-$1"; echo .; exit "$code"); code=$?; '
    'printf "%s" "${said%.}"; exit "$code"'
)
# A connection that ends, ends no command on the machine: what a killed run began there may still be at work. The first shell of
# a connection looks for that, and becomes the one for a script once there is nothing; its own line does not end as those do.
LOOKING = (
    f'{ROUND}command -v pgrep >/dev/null || {{ echo "blind-$1" >&2; exit 1; }}; for ((look = 0; look < {2 * ORPHANS_S}; look++)); do '
    f'mapfile -t left < <(pgrep -f "{AT_WORK}"); '
    f'test -n "${{left[*]}}" || exec timeout --kill-after={GRACE_S} "$2" bash --norc -c "$3" {OURS} "$1"; '
    'echo "left-$1 ${left[*]}" >&2; sleep 0.5; done; exit 1'
)


@dataclass(frozen=True)
class Shell:
    """One bash on a machine, for one script. Its mark is in no other text."""

    mark: str
    become: Become | None = None
    asks: bool = False
    """Whether sudo may ask for a password."""

    @classmethod
    def new(cls, *, become: Become | None = None, asks: bool = False) -> Shell:
        return cls(secrets.token_hex(8), become, asks)

    @property
    def prompt(self) -> str:
        """What sudo prints where it wants the password."""
        return f"password-{self.mark}:"

    def command(self, timeout_s: float, *, looking: bool = False) -> str:
        """Plain words and quoted ones; the machine kills what takes longer. `looking`, it waits for what is at work there first."""
        sudo = {True: f"sudo -S -H -p {self.prompt} ", False: "sudo -n -H "}[self.asks] if self.become else ""
        if looking:
            return f"exec env LC_ALL=C {sudo}bash --norc -c '{LOOKING}' {LOOK} {self.mark} {timeout_s:g} '{PROGRAM}'"
        return f"exec env LC_ALL=C {sudo}timeout --kill-after={GRACE_S} {timeout_s:g} bash --norc -c '{PROGRAM}' {OURS} {self.mark}"

    def has_begun(self, said: str) -> bool:
        """Whether bash has begun, as its standard error says: only then it gets a script."""
        return f"begin-{self.mark}\n" in said

    def answer(self, exit_code: int, stdout: str, stderr: str) -> CommandResult | None:
        """What the script itself printed; None when the frame is not whole, so that nothing is known of what was done."""
        _, begun, rest = stdout.partition(f"\nbegin-{self.mark}\n")
        answer, ended, _ = rest.rpartition(f"\nend-{self.mark}\n")
        if not begun or not ended:
            return None
        return CommandResult(exit_code, answer, stderr.partition(f"begin-{self.mark}\n")[2])

    def refused(self, host: str, what: str, exit_code: int, said: str) -> EvenkeelError:
        """Why bash did not begin. `said` is what came in its place; it can't hold a script: none was sent."""
        if (why := self._not_begun_beside(host, said)) is not None:
            return why
        said = " ".join(said.replace(self.prompt, " ").replace(PROGRAM, "...").replace(LOOKING, "...").split())
        if self.become is not None and (why := _sudo_refusal(f"{host}: {what}", said)) is not None:
            return why
        if exit_code == 127:
            return CommandFailedError(host, f"{what}: starting bash", exit_code, f"{said[:SHOWN]}: install it there", id="host-no-bash")
        return HostError(
            f"{host}: {what}: the login ended with exit code {exit_code} before bash began, and said: {said[:SHOWN] or 'nothing'}: see "
            "the user's login shell (getent passwd USER), its start-up files, and command= in authorized_keys or ForceCommand "
            "in sshd_config there",
            id="host-no-shell",
        )

    def _not_begun_beside(self, host: str, said: str) -> EvenkeelError | None:
        """Why the first shell of a connection has begun nothing."""
        _, left, processes = said.rpartition(f"left-{self.mark} ")
        if left:
            return HostUnreachableError(
                f"{host}: what an earlier run began there is still at work after {ORPHANS_S} s, and nothing is begun "
                f"beside it: processes {processes.strip()}: wait for them, or see with ps what they do, and kill them",
                id="host-command-left",
            )
        if f"blind-{self.mark}\n" in said:
            return HostError(
                f"{host}: no command pgrep, without which nobody knows what runs there: install it, as a rule package procps or "
                "procps-ng",
                id="host-command-missing",
            )
        return None

    def wrong_password(self, host: str, what: str) -> HostError:
        """Sudo has asked again; it gets nothing more: each attempt counts, and some machines lock an account after three."""
        return HostError(
            f"{host}: {what}: sudo does not accept the password: it is the login's own, not root's: correct what "
            "ssh.become_password names",
            id="sudo-password-wrong",
        )


def _sudo_refusal(where: str, said: str) -> HostError | None:
    """The refusals of sudo, by its words in English: it runs with LC_ALL=C."""
    if "sudo" in said and "No such file" in said:
        return HostError(f"{where}: there is no sudo: install it there, or set ssh.user to root", id="sudo-missing")
    if "must have a tty" in said:
        return HostError(
            f"{where}: sudo wants a terminal: write 'Defaults:USER !requiretty' there with visudo", id="sudo-requiretty"
        )
    if "a password is required" in said:
        return HostError(
            f"{where}: sudo asks for a password: write ssh.become_password, or with visudo there: USER ALL=(ALL) NOPASSWD:ALL",
            id="sudo-password-needed",
        )
    if "incorrect password" in said or "Sorry, try again" in said:
        return HostError(f"{where}: sudo does not accept the password: correct what ssh.become_password names", id="sudo-password-wrong")
    if "not in the sudoers" in said or "is not allowed" in said or "may not run sudo" in said:
        return HostError(
            f"{where}: sudo does not let this user run everything as root: {said[-SHOWN:]}: write 'USER ALL=(ALL) ALL' there with visudo",
            id="sudo-not-allowed",
        )
    if "sudo:" in said:
        return HostError(f"{where}: sudo: {said[-SHOWN:]}: try there, as this user: sudo -k; sudo true", id="sudo-refused")
    return None
