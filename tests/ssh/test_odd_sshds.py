"""Real sshds, sudo and login shells: what works everywhere, and what each refusal says."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from configs.errors import EvenkeelError
from tasks.shell.fleet import side_by_side
from tests.ssh.conftest import LOOPBACK, Box

SCRIPT = "id -u; cat; echo \"$LC_ALL\"; for c in ip docker-none sshd; do command -v $c >/dev/null && echo $c; done; echo on; echo why >&2"
ANSWER = ("0\nC\nip\nsshd\non\n", "why\n")
KEY = "s3cret-of-nobody"


def sudo(user: str, password: str | None = None) -> dict[str, Any]:
    return {"user": user, "become": "sudo", **({"become_password": password or f"pass of {user}"} if password != "" else {})}


def refusal(box: Box, setting: str = "plain", **ssh: Any) -> str:
    with pytest.raises(EvenkeelError) as raised, box.login(setting, **ssh) as host:
        host.run("echo on", what="asking")
    return str(raised.value)


@pytest.mark.parametrize(
    ("setting", "ssh"),
    [
        ("plain", {"user": "root"}),
        ("plain", sudo("ek-asked")),
        ("plain", sudo("ek-free", "")),
        ("plain", sudo("ek-free", "not asked for")),
        ("plain", sudo("ek-pty")),
        ("plain", sudo("ek-fish")),
        ("plain", sudo("ek-csh")),
        ("plain", sudo("ek-sh", "")),
        ("plain", sudo("ek-greets", "")),
        ("no-root", sudo("ek-asked")),
        ("one-session", sudo("ek-asked")),
        ("pam", {**sudo("ek-asked"), "key": None, "password": "pass of ek-asked"}),
    ],
    ids=str,
)
def test_a_script_runs_as_root_whatever_the_login(box: Box, setting: str, ssh: dict[str, Any]) -> None:
    with box.login(setting, **ssh) as host:
        answer = host.run(SCRIPT, what="asking")

    assert (answer.stdout, answer.stderr) == ANSWER


@pytest.mark.parametrize(
    ("finding", "said", "setting", "ssh"),
    [
        ("sudo-password-wrong", "does not accept the password", "plain", sudo("ek-asked", KEY)),
        ("sudo-password-wrong", "does not accept the password", "plain", sudo("ek-pty", KEY)),
        ("sudo-password-needed", "sudo asks for a password", "plain", sudo("ek-asked", "")),
        ("sudo-not-allowed", "ek-stranger is not in the sudoers file", "plain", sudo("ek-stranger")),
        ("sudo-not-allowed", "user ek-some is not allowed to execute", "plain", sudo("ek-some")),
        ("sudo-requiretty", "sudo wants a terminal", "plain", sudo("ek-tty", "")),
        ("sudo-missing", "there is no sudo", "no-sudo", sudo("ek-free", "")),
        ("host-no-bash", "'bash': No such file", "no-bash", {"user": "root"}),
        ("host-no-shell", "This account is currently not available.", "plain", {"user": "ek-nologin"}),
        ("host-no-shell", "restricted", "plain", {"user": "ek-rbash"}),
        ("host-no-shell", "Please log in as the user admin.", "plain", {"user": "ek-forced"}),
        ("ssh-key-refused", "the key is not accepted", "no-root", {"user": "root"}),
        ("ssh-key-refused", "the key is not accepted", "plain", {"user": "ek-nobody"}),
        ("ssh-password-refused", "refused", "plain", {"user": "ek-asked", "key": None, "password": KEY}),
        ("ssh-algorithms-too-old", r"\(host key\): it offers ssh-rsa", "sha1-host-key", {"user": "root"}),
        ("ssh-algorithms-too-old", r"\(kex\): it offers diffie-hellman-group1-sha1", "old-kex", {"user": "root"}),
        ("ssh-no-session", "sshd permits no session", "no-session", {"user": "root"}),
    ],
    ids=str,
)
def test_a_refusal_has_its_name(box: Box, finding: str, said: str, setting: str, ssh: dict[str, Any]) -> None:
    text = refusal(box, setting, **ssh)

    assert text.startswith("vm-1: ")
    assert text.endswith(f"[{finding}]")
    assert re.search(said, text)
    assert KEY not in text


def test_a_wrong_password_is_tried_once(box: Box) -> None:
    """Three wrong ones lock an account on some machines, and no line of a script may be taken for one."""
    refusal(box, **sudo("ek-csh", KEY))

    deadline = time.monotonic() + 30
    while not (logged := re.findall(r"ek-csh : (\d+ incorrect password attempts?) ;", box.sudo_log())):  # sudo waits before it says so
        assert time.monotonic() < deadline, box.sudo_log()
        time.sleep(0.1)
    assert logged == ["1 incorrect password attempt"]


def test_no_password_and_no_script_is_in_a_command_line(box: Box) -> None:
    look = "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr '\\0' ' '"
    with box.login(**sudo("ek-asked")) as host:
        seen = host.run(look, what="asking").stdout

    assert "sudo -S -H -p password-" in seen
    assert "pass of ek-asked" not in seen
    assert "/proc/[0-9]*" not in seen


def test_questions_wait_for_each_other_where_one_session_is_permitted(box: Box) -> None:
    with box.login("one-session", **sudo("ek-asked")) as host:
        answers = side_by_side(lambda number: host.run(f"echo {number}", what="asking").stdout, range(5))

    assert answers == [f"{number}\n" for number in range(5)]


def test_a_file_of_a_megabyte_arrives_through_two_jump_hosts_and_sudo(box: Box) -> None:
    way = {"plain": "ek-stranger", "no-root": "ek-nologin"}
    hops = [{"host": LOOPBACK, "port": box.port(setting), "user": user} for setting, user in way.items()]
    content = "0123456789abcdef" * 2**16

    with box.login("one-session", jump=hops, **sudo("ek-asked")) as host:
        answer = host.run(f"cat >/root/file <<'END'\n{content}\nEND\nstat -c '%U %s' /root/file", what="writing")

    assert answer.stdout == f"root {len(content) + 1}\n"


def test_a_jump_host_that_does_not_forward_is_named(box: Box) -> None:
    hop = {"host": LOOPBACK, "port": box.port("no-forwarding"), "user": "ek-free"}

    assert "jump host 127.0.0.1 does not forward connections there" in refusal(box, jump=[hop])


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa"])
def test_one_known_key_is_enough_of_whichever_kind(box: Box, kind: str) -> None:
    line = f"[{LOOPBACK}]:{box.port('plain')} {box.public(kind)}"
    known, hashed = box.known("a line of nothing", line), box.known(line)
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", hashed], check=True, capture_output=True)

    for file in (known, hashed):
        with box.login(known=file) as host:
            assert host.run("echo on", what="asking").stdout == "on\n"


def test_an_rsa_host_key_is_verified_by_sha2(box: Box) -> None:
    with box.login("rsa-host-key", known=box.known(f"[{LOOPBACK}]:{box.port('rsa-host-key')} {box.public('rsa')}")) as host:
        assert host.run("echo on", what="asking").stdout == "on\n"


@pytest.fixture
def agent(box: Box, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A running agent with three keys that are good for nothing, and then the right one."""
    path = box.folder / f"agent-{next(box.names)}"
    said = subprocess.run(["ssh-agent", "-a", path], capture_output=True, text=True, check=True).stdout
    monkeypatch.setenv("SSH_AUTH_SOCK", str(path))
    keys = [box.folder / f"useless-{number}" for number in range(3)]
    for key in keys:
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    for added in (*keys, box.key):
        subprocess.run(["ssh-add", "-q", added], check=True)
    yield
    os.kill(int(re.findall(r"SSH_AGENT_PID=(\d+)", said)[0]), signal.SIGTERM)
    for key in keys:
        key.unlink()
        Path(f"{key}.pub").unlink()


@pytest.mark.usefixtures("agent")
def test_an_agent_is_asked_where_the_config_says_so(box: Box) -> None:
    with box.login(key=None, agent=True) as host:
        assert host.run("echo on", what="asking").stdout == "on\n"
    assert "ssh.agent: false" in refusal(box, "two-tries", key=None, agent=True)
    with box.login("two-tries", agent=False) as host:
        assert host.run("echo on", what="asking").stdout == "on\n"


@pytest.mark.usefixtures("agent")
def test_a_locked_key_that_no_agent_holds_is_named_after_the_agent_was_asked(box: Box) -> None:
    locked = box.folder / "locked"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "pass phrase", "-f", locked], check=True)

    assert refusal(box, key=locked, user="ek-nobody", agent=True).endswith("[ssh-passphrase-missing]")
    with box.login(key=locked, agent=True) as host:
        assert host.run("echo on", what="asking").stdout == "on\n"
