"""How a login is made, and why it could not be: the host's key, the user's, jump hosts."""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from ipaddress import IPv4Address
from pathlib import Path

import paramiko
import pytest

from blocks.errors import HostUnreachableError, RefusedError
from blocks.ssh import SshHost
from blocks.ssh_fleet import SshFleet
from blocks.ssh_login import SshLogin, Transport, transport_on
from configs.errors import ConfigError
from configs.hosts import Source
from configs.ssh import Access
from tasks.shell.fleet import side_by_side
from tests.fakes.sshd import LOOPBACK, Sshd
from tests.wire.blocks.conftest import PASSWORD, Login


def opening(login: Login, **settings: object) -> None:
    with login(**settings) as host:
        host.open()


def other_key(sshd: Sshd, marker: str = "") -> str:
    key = paramiko.ECDSAKey.generate()
    return f"{marker}[{LOOPBACK}]:{sshd.port} {key.get_name()} {key.get_base64()}"


def test_a_changed_host_key_is_refused(sshd: Sshd, login: Login) -> None:
    with pytest.raises(RefusedError, match=r"vm-1: opening SSH to root@.*: the host key is not the known one: another") as refused:
        opening(login, known=other_key(sshd))

    assert f"ssh-keygen -R '[{LOOPBACK}]:{sshd.port}' -f " in str(refused.value)
    assert str(refused.value).endswith("[ssh-host-key-changed]")


def test_an_unknown_host_key_is_refused_and_unread_lines_are_named(sshd: Sshd, login: Login) -> None:
    unknown = r"is unknown; lines 2 there can't be read: ssh-keyscan -p \d+ 127.0.0.1 >> .*\[ssh-host-key-unknown\]"

    with pytest.raises(RefusedError, match=unknown):
        opening(login, known=f"# a comment\n[{LOOPBACK}]:{sshd.port} ssh-ed25519 not-base64\n")


def test_a_line_that_cannot_be_read_hides_no_other(sshd: Sshd, login: Login, caplog: pytest.LogCaptureFixture) -> None:
    opening(login, known=f"half a line\n{sshd.known_hosts_line}\n")

    assert "lines 1 can't be read and are skipped" in caplog.text


def test_a_revoked_key_is_refused_though_it_is_known(sshd: Sshd, login: Login) -> None:
    with pytest.raises(RefusedError, match=r"is revoked by a line @revoked of .*known_hosts: .*\[ssh-host-key-revoked\]"):
        opening(login, known=f"{sshd.known_hosts_line}\n@revoked * {sshd.known_hosts_line.partition(' ')[2]}\n")


def test_a_host_that_is_known_by_an_authority_only_is_refused_by_that_name(sshd: Sshd, login: Login) -> None:
    with pytest.raises(RefusedError, match=r"knows it by @cert-authority only, .*: ssh-keyscan .*\[ssh-host-key-by-authority\]"):
        opening(login, known=other_key(sshd, "@cert-authority "))


def test_the_known_kinds_of_host_keys_are_asked_for_first() -> None:
    with socket.create_server((LOOPBACK, 0)) as server, socket.create_connection(server.getsockname()) as client:
        transport = transport_on(client, ["ssh-rsa", "ecdsa-sha2-nistp384"])
        kinds = transport.get_security_options().key_types
        transport.close()

    assert set(kinds[:3]) == {"rsa-sha2-512", "rsa-sha2-256", "ecdsa-sha2-nistp384"}


def test_a_transport_sends_without_waiting_for_acknowledgements() -> None:
    with socket.create_server((LOOPBACK, 0)) as server, socket.create_connection(server.getsockname()) as client:
        transport = transport_on(client, [])
        assert client.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
        transport.close()


def test_a_jump_hosts_own_connection_sends_at_once_too(
    sshd: Sshd, login: Login, key: paramiko.PKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[object] = []
    factory = SshLogin._transport
    monkeypatch.setattr(SshLogin, "_transport", lambda self, sock, **more: (made.append(sock), factory(self, sock, **more))[1])

    with Sshd([key]).listening() as jump:
        known = f"{sshd.known_hosts_line}\n{jump.known_hosts_line}\n"
        with login(known=known, jump=[{"host": LOOPBACK, "port": jump.port, "user": "ops"}]) as host:
            host.open()
            to_jump_host, through_it = made
            assert isinstance(to_jump_host, socket.socket)
            assert to_jump_host.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            assert isinstance(through_it, paramiko.Channel)


def test_a_key_that_is_not_accepted_is_named(sshd: Sshd, login: Login, key: paramiko.PKey) -> None:
    sshd.accepted.clear()

    with pytest.raises(ConfigError) as refused:
        opening(login)
    where = f"vm-1: opening SSH to root@{LOOPBACK}:{sshd.port}"
    assert str(refused.value).startswith(f"{where}: the key is not accepted: tried the key ({key.fingerprint}): see ssh.user")


def test_an_rsa_key_and_an_sshd_that_takes_sha1_only(sshd: Sshd, login: Login, tmp_path: Path) -> None:
    sshd.signatures = False
    paramiko.RSAKey.generate(2048).write_private_key_file(str(tmp_path / "rsa"))

    with pytest.raises(ConfigError, match=r"takes RSA keys by SHA-1 signatures only.*ssh-keygen -t ed25519.*\[ssh-rsa-sha1\]"):
        opening(login, key=tmp_path / "rsa")


def test_a_password_serves_where_there_is_no_key(sshd: Sshd, login: Login) -> None:
    sshd.password = "s3cret"

    opening(login, key=None, password=PASSWORD, secret="s3cret")
    with pytest.raises(ConfigError, match=r"refused, .*: tried the password: see ssh.user, .*\[ssh-password-refused\]") as refused:
        opening(login, key=None, password=PASSWORD, secret="wr0ng")
    assert "wr0ng" not in str(refused.value)


def test_a_login_that_sshd_ends_before_all_is_tried_names_what_was(sshd: Sshd, login: Login) -> None:
    sshd.accepted.clear()
    sshd.password, sshd.attempts = "s3cret", 1

    with pytest.raises(ConfigError, match=r"^vm-1: .*: sshd ended the login .*\(the key \(.*\), the password\)") as refused:
        opening(login, password=PASSWORD, secret="s3cret")
    assert str(refused.value).endswith("fewer keys in the agent: ssh.agent: false [ssh-too-many-keys]")


def test_an_encrypted_key_needs_its_passphrase(login: Login, key: paramiko.PKey, tmp_path: Path) -> None:
    key.write_private_key_file(str(tmp_path / "locked"), password="pass phrase")

    opening(login, key=tmp_path / "locked", passphrase=PASSWORD, secret="pass phrase")
    with pytest.raises(ConfigError, match=r"locked: the key has a passphrase: ssh-add .*\[ssh-passphrase-missing\]"):
        opening(login, key=tmp_path / "locked")
    with pytest.raises(ConfigError, match=r"locked: the passphrase is not the key's: .*\[ssh-passphrase-wrong\]"):
        opening(login, key=tmp_path / "locked", passphrase=PASSWORD, secret="wr0ng")


def test_a_login_without_any_proof_is_refused_before_it_is_tried(sshd: Sshd, login: Login) -> None:
    with pytest.raises(ConfigError, match=r"there is no key, no ssh-agent runs here, and no password: .*\[ssh-no-identity\]$"):
        opening(login, key=None)
    assert sshd.logins == 0


@pytest.mark.parametrize("setting", ["key", "known_hosts"])
def test_a_file_that_is_not_there_is_reported_with_its_setting(login: Login, tmp_path: Path, setting: str) -> None:
    missing = tmp_path / "none"

    with pytest.raises(ConfigError, match=rf"ssh.{setting}: .*/none: .*\[ssh-file-missing\]"):
        if setting == "key":
            opening(login, key=missing)
        with SshFleet(access={}, known_hosts=missing).hosts((), {}):
            pytest.fail("there are no known hosts")


def retried(host: SshHost, script: str) -> str:
    """Its answer, asked as a step asks: which of the connections has broken shows only when they are used, one after another."""
    for _ in range(3):
        with suppress(HostUnreachableError):
            return host.run(script, what="asking").stdout
        time.sleep(0.2)
    return host.run(script, what="asking").stdout


def test_a_machine_is_reached_through_jump_hosts_that_others_share(sshd: Sshd, key: paramiko.PKey, tmp_path: Path) -> None:
    with Sshd([key]).listening() as first, Sshd([key]).listening() as second:
        (tmp_path / "known_hosts").write_text("\n".join(one.known_hosts_line for one in (sshd, first, second)))
        jump = [{"host": LOOPBACK, "port": one.port, "user": "ops"} for one in (first, second)]
        access = Access.model_validate({"port": sshd.port, "key": tmp_path / "key", "jump": jump})
        names = ("vm-1", "vm-2", "vm-3")
        fleet = SshFleet(access=dict.fromkeys(names, access), known_hosts=tmp_path / "known_hosts")
        machines = tuple(Source(name=name, address=IPv4Address(LOOPBACK)) for name in names)
        with fleet.hosts(machines, {}) as hosts:
            assert [host.run("echo on", what="asking").stdout for host in hosts.values()] == ["on\n"] * 3
            first.cut()
            assert retried(hosts["vm-2"], "echo again") == "again\n"

        assert [one.logins for one in (first, second, sshd)] == [2, 2, 4]


def test_what_is_wrong_with_a_jump_host_is_said_of_the_machine_behind_it(sshd: Sshd, login: Login) -> None:
    hop = {"host": LOOPBACK, "port": sshd.port, "user": "ops"}
    with pytest.raises(HostUnreachableError, match=r"^vm-1: jump host 127.0.0.1: opening SSH to ops@127.0.0.1:1: "):
        opening(login, jump=[{**hop, "port": 1}])
    with pytest.raises(HostUnreachableError, match=r"^vm-1: opening SSH to .*:1: jump host 127.0.0.1 can't connect to it: "):
        opening(login, jump=[hop], port=1)
    sshd.forwards = False
    with pytest.raises(ConfigError, match=r"^vm-1: .*: jump host 127.0.0.1 does not forward .*AllowTcpForwarding .*ssh-jump-forbidden\]"):
        opening(login, jump=[hop])


class SlowSshd(Sshd):
    """Takes a while for each login, and counts how many of them are made at once."""

    now, most = 0, 0

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        with self.counting:
            self.now += 1
            self.most = max(self.most, self.now)
        time.sleep(0.2)
        with self.counting:
            self.now -= 1
        return super().check_auth_publickey(username, key)


@pytest.mark.parametrize(("at_once", "most"), [(1, {1}), (50, {2, 3, 4})])
def test_a_fleets_logins_are_made_so_many_at_once(
    key: paramiko.PKey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int, most: set[int]
) -> None:
    monkeypatch.setattr("blocks.ssh_fleet.LOGINS_AT_ONCE", at_once)
    sshd, names = SlowSshd([key]), ("vm-1", "vm-2", "vm-3", "vm-4")
    with sshd.listening():
        (tmp_path / "known_hosts").write_text(sshd.known_hosts_line)
        fleet = SshFleet(
            access=dict.fromkeys(names, Access.model_validate({"port": sshd.port, "key": tmp_path / "key"})),
            known_hosts=tmp_path / "known_hosts",
        )
        with fleet.hosts(tuple(Source(name=name, address=IPv4Address(LOOPBACK)) for name in names), {}) as hosts:
            side_by_side(lambda host: host.open(), hosts.values())

    assert sshd.most in most


def test_algorithms_that_are_too_old_are_named(login: Login, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Transport, "_preferred_kex", ("diffie-hellman-group16-sha512",))
    monkeypatch.setattr(paramiko.Transport, "_preferred_kex", ("curve25519-sha256@libssh.org",))

    with pytest.raises(ConfigError, match=r"algorithms that are safe \(kex\): it offers curve25519-sha256@libssh.org.*too-old\]"):
        opening(login)


def test_nobody_who_listens_is_unreachable(sshd: Sshd, login: Login) -> None:
    with pytest.raises(HostUnreachableError, match=r"vm-1: opening SSH to root@127.0.0.1:1: .*: is it up, and is sshd on this port"):
        opening(login, port=1)
