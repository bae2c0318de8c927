"""What stands around an answer is no part of it, and what stands in its place is named. Sudo's words are those of 1.9.13."""

from __future__ import annotations

import re

import pytest

from blocks.ssh_shell import AT_WORK, LOOKING, PROGRAM, Shell
from configs.ssh import Become

SHELL = Shell("0123456789abcdef", become=Become.SUDO, asks=True)
FRAME = "\nbegin-0123456789abcdef\n{}\nend-0123456789abcdef\n"


@pytest.mark.parametrize("before", ["", "Welcome!\n", "欢迎登录 生产服务器\n", "\x1b[33mhello\x1b[0m ", FRAME[:9]])
@pytest.mark.parametrize("answer", ["", "one\n", "no line end", "\nbegin-0123456789abcdef\n", "two\nend-0\n"])
def test_an_answer_is_what_the_script_printed(before: str, answer: str) -> None:
    said = SHELL.answer(0, f"{before}{FRAME.format(answer)}bye", "motd\nbegin-0123456789abcdef\nits error\n")

    assert said is not None
    assert (said.stdout, said.stderr) == (answer, "its error\n")


@pytest.mark.parametrize("cut", [0, 5, 30, 45])
def test_an_answer_without_its_whole_frame_is_none(cut: int) -> None:
    assert SHELL.answer(0, FRAME.format("one\n")[:cut], "") is None


def test_two_answers_never_have_the_same_mark() -> None:
    assert len({Shell.new().mark for _ in range(100)}) == 100


def test_what_runs_a_script_is_found_at_work_and_what_only_looks_is_not() -> None:
    line = f"bash --norc -c {PROGRAM} evenkeel {SHELL.mark}"
    looks = SHELL.command(60, looking=True).partition("bash ")[2].replace("'", "")

    assert re.search(AT_WORK, line)
    assert not re.search(AT_WORK, f"bash {looks}")


def test_sudo_is_asked_for_only_where_it_is_needed_and_never_waits_without_a_password() -> None:
    assert "sudo" not in Shell.new().command(60)
    assert " sudo -n -H timeout --kill-after=10 60 bash " in Shell.new(become=Become.SUDO).command(60)
    assert f" sudo -S -H -p {SHELL.prompt} timeout " in SHELL.command(60)
    assert f" sudo -S -H -p {SHELL.prompt} bash --norc -c '{LOOKING}' evenkeel-look " in SHELL.command(60, looking=True)


@pytest.mark.parametrize(
    ("said", "finding"),
    [
        ("env: 'sudo': No such file or directory", "sudo-missing"),
        ("sudo: sorry, you must have a tty to run sudo", "sudo-requiretty"),
        ("sudo: a password is required", "sudo-password-needed"),
        (f"{SHELL.prompt}Sorry, try again.\nsudo: no password was provided\nsudo: 1 incorrect password attempt", "sudo-password-wrong"),
        ("ops is not in the sudoers file.", "sudo-not-allowed"),
        (f"Sorry, user ops is not allowed to execute '/usr/bin/timeout 60 bash --norc -c {PROGRAM}' as root on x.", "sudo-not-allowed"),
        ("sudo: effective uid is not 0, is /usr/bin/sudo on a file system with the 'nosuid' option set?", "sudo-refused"),
        ("sudo: Account expired or PAM config lacks an \"account\" section for sudo, contact your system administrator", "sudo-refused"),
        ("This account is currently not available.", "host-no-shell"),
        ("", "host-no-shell"),
    ],
)  # fmt: skip
def test_why_bash_did_not_begin_is_named(said: str, finding: str) -> None:
    error = SHELL.refused("vm-1", "asking", 1, said)

    assert error.id == finding
    assert str(error).startswith("vm-1: asking: ")
    assert PROGRAM not in str(error)
    assert SHELL.prompt not in str(error)


def test_a_machine_without_bash_or_timeout_is_named() -> None:
    error = Shell.new().refused("vm-1", "asking", 127, "env: 'timeout': No such file or directory")

    assert str(error) == (
        "vm-1: asking: starting bash: exit code 127: env: 'timeout': No such file or directory: install it there [host-no-bash]"
    )
