"""Files of known hosts, as ssh-keygen and ssh-keyscan write them and as people edit them."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from functools import partial
from pathlib import Path

import paramiko
import pytest

from blocks.known_hosts import KnownHosts, Line, Verdict

KEY, OTHER, CA = (paramiko.ECDSAKey.generate() for _ in range(3))


def known(tmp_path: Path, *lines: str) -> KnownHosts:
    path = tmp_path / "known_hosts"
    path.write_text("\n".join(lines))
    return KnownHosts.read(path)


def line(hosts: str, key: paramiko.PKey = KEY, marker: str = "") -> str:
    return f"{marker} {hosts} {key.get_name()} {key.get_base64()} a comment".strip()


HASHED = partial(paramiko.HostKeys.hash_host, salt=b64encode(bytes(20)).decode())


@pytest.mark.parametrize(
    ("hosts", "port"),
    [
        ("10.0.0.11", 22), ("[10.0.0.11]:2222", 2222), ("vm-1,10.0.0.11", 22), (HASHED("10.0.0.11"), 22),
        (HASHED("[10.0.0.11]:2222"), 2222), ("10.0.0.*", 22), ("10.0.0.1?,!10.0.0.12", 22), ("*", 2222),
        ("10.0.0.11", 2222),  # as ssh does: a key without a port is one for all ports
    ],
)  # fmt: skip
def test_a_host_is_known(tmp_path: Path, hosts: str, port: int) -> None:
    assert known(tmp_path, line(hosts)).verdict("10.0.0.11", port, KEY.asbytes()) is Verdict.KNOWN


@pytest.mark.parametrize(
    "hosts", ["[10.0.0.11]:2222", "10.0.0.1", "!10.0.0.11,10.0.0.*", HASHED("10.0.0.12"), "|1|not-base64|either", "10x0x0x11"]
)
def test_a_host_is_not_known(tmp_path: Path, hosts: str) -> None:
    assert known(tmp_path, line(hosts)).verdict("10.0.0.11", 22, KEY.asbytes()) is Verdict.UNKNOWN


@pytest.mark.parametrize("form", [str, HASHED])
def test_a_key_is_of_the_port_that_stands_beside_it_or_of_22(tmp_path: Path, form: Callable[[str], str]) -> None:
    assert known(tmp_path, line(form("10.0.0.11"))).has("10.0.0.11", 22)
    assert not known(tmp_path, line(form("10.0.0.11"))).has("10.0.0.11", 2222)
    assert known(tmp_path, line(form("[10.0.0.11]:2222"))).has("10.0.0.11", 2222)
    assert not known(tmp_path, line(form("10.0.0.11"), marker="@cert-authority")).has("10.0.0.11", 22)


def test_one_of_several_keys_is_enough_and_another_one_is_a_change(tmp_path: Path) -> None:
    file = known(tmp_path, line("10.0.0.11", OTHER), line("10.0.0.11"))

    assert file.verdict("10.0.0.11", 22, KEY.asbytes()) is Verdict.KNOWN
    assert file.verdict("10.0.0.11", 22, CA.asbytes()) is Verdict.CHANGED
    assert file.kinds("10.0.0.11", 22) == [KEY.get_name()] * 2


def test_a_line_of_many_names_is_one_of_each(tmp_path: Path) -> None:
    file = known(tmp_path, line("VM-1,10.0.0.11,10.0.0.11"), line("10.0.0.1?", OTHER))

    assert file.kinds("vm-1", 22) == [KEY.get_name()]
    assert file.kinds("10.0.0.11", 22) == [KEY.get_name()] * 2
    assert file.kinds("10.0.0.2", 22) == []


def test_a_fleets_lines_are_not_gone_through_for_each_of_its_machines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []
    names = Line.names
    monkeypatch.setattr(Line, "names", lambda self, name: tried.append(name) or names(self, name))  # type: ignore[func-returns-value]
    hosts = [f"10.0.1.{number}" for number in range(100)]
    file = known(tmp_path, *map(line, hosts), line("10.9.*"), line(HASHED("10.0.1.7"), OTHER))

    for host in hosts:
        assert file.verdict(host, 22, KEY.asbytes()) is Verdict.KNOWN
        assert file.kinds(host, 22)
    assert len(tried) == 2 * len(hosts), "the two lines that have to be tried, once for each name"


def test_a_revoked_key_stays_revoked(tmp_path: Path) -> None:
    file = known(tmp_path, line("10.0.0.11"), line("10.0.0.*", marker="@revoked"))

    assert file.verdict("10.0.0.11", 22, KEY.asbytes()) is Verdict.REVOKED
    assert file.verdict("10.9.0.11", 22, KEY.asbytes()) is Verdict.UNKNOWN


def test_an_authority_is_no_hosts_key(tmp_path: Path) -> None:
    file = known(tmp_path, line("*.example.com", CA, "@cert-authority"))

    assert file.verdict("VM-1.Example.com", 22, KEY.asbytes()) is Verdict.AUTHORITY
    assert file.verdict("vm-1.example.com", 22, CA.asbytes()) is Verdict.AUTHORITY
    assert file.kinds("vm-1.example.com", 22) == []


@pytest.mark.parametrize(
    "broken",
    ["10.0.0.11", "10.0.0.11 ssh-ed25519", "10.0.0.11 ssh-ed25519 %%%", f"10.0.0.11 ssh-rsa {KEY.get_base64()}", "10.0.0.11 1024 35 15976",
     f"@unheard {line('10.0.0.11')}", f"10.0.0.11 {KEY.get_name()} {KEY.get_base64()[:7]}", "\ufeff欢迎"],
    ids=range(8),  # a key is another one in every process
)  # fmt: skip
def test_a_line_that_cannot_be_read_is_skipped_and_counted(tmp_path: Path, broken: str) -> None:
    file = known(tmp_path, "# a comment", "", broken, line("10.0.0.12"))

    assert file.unreadable == (3,)
    assert file.verdict("10.0.0.12", 22, KEY.asbytes()) is Verdict.KNOWN
