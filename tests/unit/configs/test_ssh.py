"""How machines are reached: for all of them, and where one differs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from configs.base import SecretRef
from configs.ssh import Access
from tests.fakes.platform import platform

SSH: dict[str, Any] = {
    "user": "ops", "key": "/keys/ops", "passphrase": {"env": "PASSPHRASE"}, "become": "sudo", "become_password": {"env": "SUDO"},
    "jump": [{"host": "bastion.example.com", "user": "gate"}, {"host": "10.0.0.9", "port": 2022, "key": "/keys/inner"}],
}  # fmt: skip


def access(own: dict[str, Any] | None = None, **general: Any) -> Access:
    machine = {"name": "vm-1", "address": "10.0.0.11", **({"ssh": own} if own is not None else {})}
    whole = platform(ssh={**SSH, **general}, sources=[machine])
    return whole.access(whole.sources[0])


def env(ref: SecretRef | None) -> str | None:
    return ref.env if ref is not None else None


def test_a_machine_is_reached_as_all_are() -> None:
    found = access()

    assert (found.user, found.port, found.key, found.become) == ("ops", 2222, Path("/keys/ops"), "sudo")
    assert (env(found.passphrase), env(found.become_password)) == ("PASSPHRASE", "SUDO")


@pytest.mark.parametrize(
    "own",
    [{"user": "root"}, {"port": 22}, {"key": "/k"}, {"agent": False}, {"jump": []}, {"become": None, "become_password": None}],
    ids=str,
)
def test_each_setting_can_differ_on_a_machine_and_the_others_stay(own: dict[str, Any]) -> None:
    general, found = access(), access(own)

    for name in ("user", "port", "key", "agent", "jump", "become"):
        if name in own:
            assert getattr(found, name) == Access.model_validate(own).__getattribute__(name)
        else:
            assert getattr(found, name) == getattr(general, name)


def test_a_secret_goes_with_the_key_or_the_user_that_it_was_written_for() -> None:
    assert access({"key": "/k"}).passphrase is None
    assert env(access({"key": "/k"}).become_password) == "SUDO"
    assert access({"user": "root", "become": None}).become_password is None
    assert access({"user": "other"}, password={"env": "PASSWORD"}).password is None
    assert env(access({"port": 22}, password={"env": "PASSWORD"}).password) == "PASSWORD"


def test_jump_hosts_have_the_key_and_the_user_of_where_they_are_written() -> None:
    outer, inner = access({"user": "root", "key": "/k", "become": None}, password={"env": "PASSWORD"}).hops

    assert (outer.user, outer.port, outer.key, env(outer.passphrase)) == ("gate", 22, Path("/keys/ops"), "PASSPHRASE")
    assert (inner.user, inner.port, inner.key, inner.passphrase) == ("ops", 2022, Path("/keys/inner"), None)
    assert outer.password is inner.password is None, "a machine's password is for no other one"


def test_every_secret_that_a_login_needs_is_one_of_the_platforms_and_once() -> None:
    machines = [
        {"name": "vm-1", "address": "10.0.0.11", "ssh": {"jump": [{"host": "x", "password": {"env": "GATE"}}]}},
        {"name": "vm-2", "address": "10.0.0.12", "lost": True, "ssh": {"password": {"env": "LOST"}}},
    ]
    secrets = [env(ref) for ref in platform(ssh=SSH, sources=machines).secrets]

    assert [name for name in ("PASSPHRASE", "SUDO", "GATE") if secrets.count(name) != 1] == []
    assert "LOST" not in secrets


@pytest.mark.parametrize(
    ("ssh", "said"),
    [
        ({"agent": False}, "no key, no password, and agent is false: write one of them"),
        ({"passphrase": {"env": "P"}}, "a passphrase without a key: write key, too"),
        ({"key": "/k", "become_password": {"env": "P"}}, "become_password without become: write become: sudo, too"),
        ({"key": "/k", "become": "su"}, "Input should be 'sudo'"),
        ({"key": "/k", "user": "ops@10.0.0.9 "}, "is no login: write it without spaces"),
        ({"key": "/k", "jump": [{"user": "ops"}]}, "Field required"),
        ({"key": "/k", "jump": [{"host": "ops@bastion"}]}, "write the host only, user and port have keys of their own"),
        ({"key": "/k", "jump": [{"host": "x", "jump": []}]}, "Extra inputs are not permitted"),
        ({"agent": False, "password": {"env": "P"}, "jump": [{"host": "x"}]}, "jump x: no key, no password, and agent is false"),
    ],
    ids=str,
)
def test_what_cannot_work_is_refused(ssh: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        platform(ssh=ssh)


def test_what_cannot_work_on_one_machine_is_refused_with_its_name() -> None:
    with pytest.raises(ValidationError, match="ssh of vm-1: no key, no password"):
        access({"key": None, "agent": False})


def test_known_hosts_are_of_all_machines() -> None:
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        access({"known_hosts": "/k"})
