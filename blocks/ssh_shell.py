"""The shell on a machine: bash whatever the login shell is, root by sudo where the login is not, and an answer in a frame.

Pure. The command line is the same for every script but for its mark, so it can stand in any process list; the script itself
comes by standard input, and only once bash has said that it has begun.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from blocks.errors import CommandFailedError, HostError
from blocks.ports import CommandResult
from configs.ssh import Become

OURS = "evenkeel"  # what runs scripts, in process lists
LOOK = "evenkeel-look"  # what looks for those that an earlier run has left
AT_WORK = f"^bash --norc -c .* {OURS} [0-9a-f]{{16}}$"  # for pgrep -f
GRACE_S = 10  # for the machine to kill what is over its time and to say so
SHOWN = 300  # characters of what a login prints

# Between single quotes, so without any, and without backslashes, line ends and "!": sh, bash, fish and csh read it alike.
# PATH is what sshd, pam or sudo give, which may lack half of the usual folders. What a script starts reads nothing.
PROGRAM = (
    "export PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C; unset LANGUAGE; cd /; "
    'echo; echo "begin-$1"; echo "begin-$1" >&2; script=$(cat); exec </dev/null; '
    '(eval "$script"); code=$?; echo; echo "end-$1"; exit "$code"'
)


@dataclass(frozen=True)
class Shell:
    """One bash on a machine, for one script. Its mark is in no other text."""

    mark: str
    name: str = OURS
    become: Become | None = None
    asks: bool = False
    """Whether sudo may ask for a password."""

    @classmethod
    def new(cls, *, name: str = OURS, become: Become | None = None, asks: bool = False) -> Shell:
        return cls(secrets.token_hex(8), name, become, asks)

    @property
    def prompt(self) -> str:
        """What sudo prints where it wants the password."""
        return f"password-{self.mark}:"

    def command(self, timeout_s: float) -> str:
        """Plain words and one quoted one; the machine kills what takes longer."""
        sudo = {True: f"sudo -S -H -p {self.prompt} ", False: "sudo -n -H "}[self.asks] if self.become else ""
        bash = f"bash --norc -c '{PROGRAM}' {self.name} {self.mark}"
        return f"exec env LC_ALL=C {sudo}timeout --kill-after={GRACE_S} {timeout_s:g} {bash}"

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

    def refused(self, host: str, what: str, exit_code: int, said: str) -> HostError:
        """Why bash did not begin. `said` is what came in its place; it can't hold a script: none was sent."""
        said = " ".join(said.replace(self.prompt, " ").replace(PROGRAM, "...").split())
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
