"""One machine over one connection: what breaks, and what is said about it. The connection is a stand-in."""

from __future__ import annotations

import io
import socket
from ipaddress import IPv4Address
from pathlib import Path

import paramiko
import pytest

from blocks.errors import CommandFailedError, DeadlineExceededError, HostUnreachableError, RefusedError
from blocks.ssh import SshFleet, SshHost, _transport, round_trips
from configs.errors import ConfigError, EvenkeelError
from tests.fakes.platform import platform


class Channel:
    """A session that answers one command."""

    def __init__(self, exit_code: int, out: str, err: str, error: Exception | None) -> None:
        self.exit_code, self.out, self.err, self.error = exit_code, out, err, error
        self.command, self.stdin = "", b""

    def settimeout(self, _seconds: float) -> None: ...

    def exec_command(self, command: str) -> None:
        if self.error is not None:
            raise self.error
        self.command = command

    def makefile(self, _mode: str) -> io.BytesIO:
        return io.BytesIO(self.out.encode())

    def makefile_stderr(self, _mode: str) -> io.BytesIO:
        return io.BytesIO(self.err.encode())

    def sendall(self, data: bytes) -> None:
        self.stdin += data

    def shutdown_write(self) -> None: ...

    def recv_exit_status(self) -> int:
        return self.exit_code

    def close(self) -> None: ...


class Connection:
    """A connection and its transport in one."""

    user, host, port = "root", "10.0.0.11", 2222

    def __init__(self, *, exit_code: int = 0, out: str = "", err: str = "", error: Exception | None = None) -> None:
        self.channel = Channel(exit_code, out, err, error)
        self.orphans = Channel(0, "", "", None)
        """Answers the first session after every opening."""
        self.fresh = False
        self.refusal: Exception | None = None
        self.transport: Connection | None = None
        self.opened = self.closed = 0

    def open(self) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.opened += 1
        self.transport, self.fresh = self, True

    def close(self) -> None:
        self.closed += 1
        self.transport = None

    def is_active(self) -> bool:
        return True

    def set_keepalive(self, _seconds: int) -> None: ...

    def open_session(self, timeout: float) -> Channel:
        fresh, self.fresh = self.fresh, False
        return self.orphans if fresh else self.channel


def host_on(connection: Connection) -> SshHost:
    return SshHost("vm-1", IPv4Address("10.0.0.11"), connection)


def test_a_script_goes_over_standard_input_with_a_deadline_on_the_machine() -> None:
    connection = Connection(out="fine\n")

    answer = host_on(connection).run("echo fine", what="asking", timeout_s=7)

    assert (answer.exit_code, answer.stdout) == (0, "fine\n")
    assert connection.channel.command == "timeout --kill-after=10 7 bash -s evenkeel"
    assert connection.channel.stdin == b"echo fine"


def test_a_connection_is_opened_once() -> None:
    connection = Connection()
    host = host_on(connection)

    host.run("true", what="asking")
    host.run("true", what="asking")

    assert connection.opened == 1


def test_a_connection_that_is_cut_in_the_middle_is_no_answer() -> None:
    connection = Connection(exit_code=-1, out="half an ans")

    with pytest.raises(HostUnreachableError, match=r"vm-1: asking: SSH broke: the connection ended before the command did"):
        host_on(connection).run("true", what="asking", check=False)
    assert connection.transport is None


def test_nothing_is_begun_beside_what_a_killed_run_left_at_work() -> None:
    connection = Connection()
    connection.orphans = Channel(1, "", "4711 bash -s evenkeel\n", None)

    with pytest.raises(HostUnreachableError, match=r"vm-1: what an earlier run began there is still at work .*: 4711 bash"):
        host_on(connection).run("true", what="asking")
    assert connection.channel.command == ""
    assert "pgrep -f '^bash -s evenkeel'" in connection.orphans.stdin.decode()


def test_a_command_that_fails_is_reported_with_its_last_words() -> None:
    host = host_on(Connection(exit_code=3, err="x" * 1000 + "no space left\n"))

    with pytest.raises(CommandFailedError, match=r"^vm-1: writing: exit code 3: x+no space left \[command-failed\]$") as failed:
        host.run("false", what="writing")
    assert len(str(failed.value)) < 450


def test_a_failure_that_is_an_answer_is_no_error() -> None:
    assert host_on(Connection(exit_code=1)).run("false", what="asking", check=False).exit_code == 1


def test_a_command_that_was_killed_at_its_deadline_is_not_a_plain_failure() -> None:
    with pytest.raises(DeadlineExceededError, match="vm-1: loading: not done within 9 s, killed there"):
        host_on(Connection(exit_code=124)).run("sleep 10", what="loading", timeout_s=9)


@pytest.mark.parametrize("error", [paramiko.SSHException("reset"), OSError("broken pipe"), EOFError()], ids=repr)
def test_a_connection_that_breaks_is_closed_and_opened_anew(error: Exception) -> None:
    connection = Connection(error=error)
    host = host_on(connection)
    with pytest.raises(HostUnreachableError, match="vm-1: asking: SSH broke: "):
        host.run("true", what="asking")
    connection.channel.error = None

    host.run("true", what="asking")

    assert connection.opened == 2


@pytest.mark.parametrize(
    ("refusal", "error", "said"),
    [
        (paramiko.AuthenticationException("no"), ConfigError, "the key is not accepted: see ssh.user and ssh.key"),
        (paramiko.SSHException("Server 'x' not found in known_hosts"), RefusedError, "ssh-keyscan -p 2222 10.0.0.11"),
        (paramiko.SSHException("banner"), HostUnreachableError, "banner: is it up, and is sshd on this port"),
        (TimeoutError("timed out"), HostUnreachableError, "timed out: is it up"),
        (ValueError("odd key"), ConfigError, "odd key"),
    ],
    ids=repr,
)
def test_why_a_machine_cannot_be_reached_is_said(refusal: Exception, error: type[EvenkeelError], said: str) -> None:
    connection = Connection()
    connection.refusal = refusal

    with pytest.raises(error) as raised:
        host_on(connection).open()
    assert str(raised.value).startswith("vm-1: opening SSH to root@10.0.0.11:2222: ")
    assert said in str(raised.value)


def test_a_changed_host_key_is_refused() -> None:
    connection = Connection()
    key = paramiko.RSAKey.generate(1024)
    connection.refusal = paramiko.BadHostKeyException("10.0.0.11", key, key)

    with pytest.raises(RefusedError, match="the host key is not the known one: another machine may answer there"):
        host_on(connection).open()


def test_round_trips_are_noted_where_a_step_wants_them() -> None:
    noted: list[str] = []
    token = round_trips.set(noted)
    host_on(Connection()).run("true", what="asking")
    round_trips.reset(token)

    assert noted == ["vm-1"]


def test_a_key_file_that_is_not_there_is_reported_with_its_setting(tmp_path: Path) -> None:
    fleet = SshFleet(user="root", port=22, key=tmp_path / "none", known_hosts=tmp_path / "none")

    with pytest.raises(ConfigError, match=r"ssh.key: .*/none: no such file"), fleet.hosts(platform().machines):
        pytest.fail("there is no key")


def test_each_machine_gets_its_own_host_keys_of_the_one_file(tmp_path: Path) -> None:
    first, second = (paramiko.ECDSAKey.generate() for _ in range(2))
    known = paramiko.HostKeys()
    known.add("[10.0.0.11]:2222", first.get_name(), first)
    known.add(paramiko.HostKeys.hash_host("[10.0.0.12]:2222"), second.get_name(), second)
    known.save(str(tmp_path / "known_hosts"))
    (tmp_path / "key").write_text("not read before the first connection")
    fleet = SshFleet(user="root", port=2222, key=tmp_path / "key", known_hosts=tmp_path / "known_hosts")

    with fleet.hosts(platform().sources) as hosts:
        held = [host._connection.client.get_host_keys() for host in hosts.values()]

    assert [list(keys) for keys in held] == [["[10.0.0.11]:2222"], ["[10.0.0.12]:2222"]]
    assert held[0].check("[10.0.0.11]:2222", first)
    assert held[1].check("[10.0.0.12]:2222", second)


def test_a_transport_sends_without_waiting_for_acknowledgements() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        transport = _transport(client)
        assert client.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
        transport.close()
