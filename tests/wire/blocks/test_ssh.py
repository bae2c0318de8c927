"""One machine over one connection: what breaks, and what is said about it."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from blocks.errors import CommandFailedError, DeadlineExceededError, HostError, HostUnreachableError
from blocks.ports import round_trips
from blocks.ssh import SshHost
from blocks.ssh_shell import LOOKING, PROGRAM
from tasks.shell.fleet import side_by_side
from tests.fakes.sshd import Sshd
from tests.wire.blocks.conftest import Login


def until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_script_goes_over_standard_input_with_a_deadline_on_the_machine(sshd: Sshd, login: Login) -> None:
    with login() as host:
        answer = host.run("echo s3cret fine; exit 3", what="asking", timeout_s=7, check=False)

    assert (answer.exit_code, answer.stdout, answer.stderr) == (3, "s3cret fine\n", "")
    assert sshd.commands[-1].startswith("exec env LC_ALL=C bash --norc -c '")
    assert " 7 'export PATH=" in sshd.commands[-1]
    assert "s3cret" not in "".join(sshd.commands)


def test_a_connection_is_opened_once(sshd: Sshd, login: Login) -> None:
    with login() as host:
        host.run("true", what="asking")
        host.run("true", what="asking")

    assert sshd.logins == 1
    assert len(sshd.commands) == 2, "one session each: the first one looks for commands of an earlier run, and goes on"
    assert sshd.commands[1].startswith("exec env LC_ALL=C timeout --kill-after=10 60 bash --norc -c '")


def test_a_connection_that_is_cut_in_the_middle_is_no_answer_and_is_opened_anew(sshd: Sshd, login: Login) -> None:
    with login() as host:
        host.open()
        cutting = threading.Thread(target=lambda: (until(lambda: len(sshd.commands) == 2), time.sleep(0.3), sshd.cut()))
        cutting.start()
        with pytest.raises(HostUnreachableError, match=r"^vm-1: asking: SSH broke: "):
            host.run("echo half an ans; sleep 3", what="asking", check=False)
        cutting.join()

        assert host.run("echo again", what="asking").stdout == "again\n"
    assert sshd.logins == 2


@pytest.mark.parametrize("ending", ["kill -KILL $$", "kill -KILL $PPID"], ids=["bash", "its deadline's keeper"])
def test_a_bash_that_is_killed_has_not_answered(login: Login, ending: str) -> None:
    with login() as host, pytest.raises(HostUnreachableError, match=r"vm-1: asking: SSH broke: the connection, or bash there, ended"):
        host.run(f"echo half; {ending}", what="asking", check=False)


@contextmanager
def at_work() -> Iterator[int]:
    """What a killed run has begun."""
    with subprocess.Popen(["bash", "--norc", "-c", "sleep 30; :", "evenkeel", "0123456789abcdef"]) as process:
        try:
            yield process.pid
        finally:
            process.kill()


def test_nothing_is_begun_beside_what_a_killed_run_left_at_work(
    sshd: Sshd, login: Login, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("blocks.ssh_shell.LOOKING", LOOKING.replace("look < 240", "look < 1"))  # in place of two minutes of waiting

    with at_work() as pid, login() as host:
        left = rf"vm-1: what an earlier run began .* processes .*\b{pid}\b.*: wait.*\[host-command-left\]"
        for _ in range(2):
            with pytest.raises(HostUnreachableError, match=left):
                host.run(f"touch {tmp_path}/begun", what="asking")
    assert (sshd.logins, len(sshd.commands)) == (2, 2), "each of them looks on a connection of its own"
    assert not (tmp_path / "begun").exists()


def test_questions_that_come_while_the_first_one_looks_wait_for_it(sshd: Sshd, login: Login) -> None:
    with login() as host, ThreadPoolExecutor(3) as pool:
        with at_work():
            asked = [pool.submit(host.run, "echo on", what="asking") for _ in range(3)]
            until(lambda: len(sshd.commands) == 1)
            time.sleep(0.7)
            assert len(sshd.commands) == 1
        assert [one.result(timeout=20).stdout for one in asked] == ["on\n"] * 3


def test_a_command_that_outlasts_the_look_has_its_whole_time(login: Login) -> None:
    with login() as host:
        with at_work() as pid:
            ending = threading.Timer(1.5, os.kill, (pid, signal.SIGKILL))
            ending.start()
            assert host.run("sleep 0.6; echo on", what="asking", timeout_s=1).stdout == "on\n"
        ending.join()


def test_a_machine_that_cannot_say_what_is_at_work_gets_no_command(
    sshd: Sshd, login: Login, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("blocks.ssh_shell.LOOKING", LOOKING.replace("; command -v", "; PATH=/nowhere; command -v"))

    with login() as host, pytest.raises(HostError, match=r"^vm-1: no command pgrep, .*\[host-command-missing\]$"):
        host.run("true", what="asking")
    assert len(sshd.commands) == 1


def test_a_start_up_file_that_waits_for_something_is_quoted(sshd: Sshd, login: Login, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("blocks.ssh.BEGIN_S", 0.5)
    sshd.shell = ("/bin/sh", "-c", "printf 'Which proxy? ' >&2; exec cat >/dev/null")

    with (
        login() as host,
        pytest.raises(
            HostUnreachableError,
            match=r"^vm-1: opening SSH: bash has not begun within 0.5 s .*~/.bashrc, .*: Which proxy\? \[host-shell-slow\]$",
        ),
    ):
        host.open()


def test_a_command_that_is_at_work_is_found_by_another_login_and_only_it(sshd: Sshd, login: Login) -> None:
    with login() as first, login() as second:
        first.open()
        working = threading.Thread(target=lambda: first.run("sleep 1.2", what="working"))
        began = time.monotonic()
        working.start()
        until(lambda: len(sshd.commands) == 2)
        second.open()
        assert time.monotonic() - began > 1
        working.join()


def test_a_command_that_fails_is_reported_with_its_last_words(login: Login) -> None:
    words = f"printf '{'x' * 1000}no space left\\n' >&2; exit 3"

    with (
        login() as host,
        pytest.raises(CommandFailedError, match=r"^vm-1: writing: exit code 3: x+no space left \[command-failed\]$") as failed,
    ):
        host.run(words, what="writing")
    assert len(str(failed.value)) < 450


def test_a_command_that_was_killed_at_its_deadline_is_not_a_plain_failure(login: Login) -> None:
    killed = r"vm-1: loading: not done within 0\.5 s, killed there \[command-timeout\]"

    with login() as host, pytest.raises(DeadlineExceededError, match=killed):
        host.run("echo begun; sleep 10", what="loading", timeout_s=0.5)


def test_long_answers_and_long_scripts_do_not_wait_for_each_other(login: Login) -> None:
    script = "cat <<'END'\n" + "x" * 300_000 + "\nEND\nhead -c 3000000 /dev/zero | tr '\\0' y >&2\n"

    with login() as host:
        answer = host.run(script, what="asking")

    assert (len(answer.stdout), len(answer.stderr)) == (300_001, 3_000_000)


@pytest.mark.parametrize("answer", ["", "\n", "one", "one\n\n", "-n", " two  spaces ", "%s", "."])
def test_an_answer_is_what_was_printed_to_the_byte(login: Login, answer: str) -> None:
    with login() as host:
        said = host.run(f"cat <<'END'\n{answer}\nEND\nprintf '%s' '{answer}'", what="asking")

    assert said.stdout == f"{answer}\n{answer}"


def test_what_is_printed_for_long_is_read_meanwhile(login: Login, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than the channel's window holds, before the command ends."""
    monkeypatch.setattr("blocks.ssh.LOOK_S", 0.05)
    with login() as host:
        answer = host.run("head -c 5000000 /dev/zero | tr '\\0' y; head -c 5000000 /dev/zero | tr '\\0' y >&2", what="asking")

    assert (len(answer.stdout), len(answer.stderr)) == (5_000_000, 5_000_000)


def test_what_a_script_starts_reads_nothing_of_it(login: Login) -> None:
    with login() as host:
        assert host.run("cat; read -r line; echo \"<$line>\"\necho SECOND", what="asking").stdout == "<>\nSECOND\n"


def test_a_script_with_an_error_in_it_does_nothing_of_what_stands_before(login: Login) -> None:
    with login() as host, pytest.raises(CommandFailedError, match="syntax error"):
        host.run("echo one >&2; if then", what="asking")


@pytest.mark.parametrize("most", [1, 2])
def test_where_sshd_permits_fewer_sessions_than_are_wanted_they_come_one_after_another(sshd: Sshd, login: Login, most: int) -> None:
    sshd.sessions = most

    with login() as host:
        answers = side_by_side(lambda number: host.run(f"sleep 0.1; echo {number}", what="asking").stdout, range(6))

    assert answers == [f"{number}\n" for number in range(6)]
    assert sshd.most_at_once == most


def test_all_that_wait_for_a_session_are_released_when_the_connection_breaks(sshd: Sshd, login: Login) -> None:
    sshd.sessions = 1

    with login() as host, ThreadPoolExecutor(3) as pool:
        host.open()
        asked = [pool.submit(host.run, "sleep 1.5", what="asking") for _ in range(3)]
        until(lambda: len(sshd.commands) == 2)
        time.sleep(0.3)  # for the others to be refused, and wait
        sshd.cut()
        broken = [one.exception(timeout=20) for one in asked]

    assert [type(error) for error in broken] == [HostUnreachableError] * 3


def test_an_sshd_that_permits_no_session_is_named(sshd: Sshd, login: Login) -> None:
    sshd.sessions = 0

    with login() as host, pytest.raises(HostUnreachableError, match=r"vm-1: sshd permits no session: .*: see MaxSessions"):
        host.open()


def test_round_trips_are_noted_where_a_step_wants_them(login: Login) -> None:
    noted: list[str] = []
    token = round_trips.set(noted)
    with login() as host:
        host.run("true", what="asking")
    round_trips.reset(token)

    assert noted == ["vm-1: asking"]


def test_the_command_line_can_be_read_by_every_shell() -> None:
    assert set(PROGRAM + LOOKING).isdisjoint("'\\!\n")


def test_a_closed_host_opens_again(login: Login) -> None:
    def runs(host: SshHost) -> str:
        return host.run("echo on", what="asking").stdout

    with login() as host:
        assert runs(host) == "on\n"
        host.close()
        assert runs(host) == "on\n"
