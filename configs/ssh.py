"""Models of the ways to reach machines by SSH: for all of them, and where one machine differs."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field, field_validator, model_validator

from configs.base import SecretRef, StrictModel

USER = re.compile(r"[^\s:/-][^\s:/]*")
HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")
BELONGS_TO = {"passphrase": {"key"}, "password": {"user"}, "become_password": {"user", "become"}}
"""Which other fields a secret goes with: whoever writes one of them anew does not get the secret of the former one."""


class Become(StrEnum):
    """How a login becomes root."""

    SUDO = "sudo"


def _is_user(value: str) -> str:
    if USER.fullmatch(value) is None:
        raise ValueError(f"{value!r} is no login: write it without spaces, ':' and '/'")
    return value


def _is_host(value: str) -> str:
    if HOST.fullmatch(value) is None:
        raise ValueError(f"{value!r} is no host name and no IPv4 address: write the host only, user and port have keys of their own")
    return value


class Login(StrictModel):
    """Who logs in where, and by what: a key, a running ssh-agent, a password, tried in this order."""

    user: Annotated[str, AfterValidator(_is_user)] = Field("root", description="root, or one that becomes root by `become`")
    port: int = Field(2222, ge=1, le=65535, description="the runbook's port; of a jump host: 22")
    key: Path | None = Field(None, description="private key on the orchestrator's machine")
    passphrase: SecretRef | None = Field(None, description="of the key, where no ssh-agent holds it")
    agent: bool = Field(True, description="whether the keys of a running ssh-agent are tried, too")
    password: SecretRef | None = Field(None, description="of the user, where sshd permits one")

    @field_validator("key")
    @classmethod
    def _expanded(cls, value: Path | None) -> Path | None:
        return value.expanduser() if value is not None else None


class Hop(Login):
    """A jump host. What is left out is that of the machine behind it, but for the port and a password."""

    host: Annotated[str, AfterValidator(_is_host)] = Field(description="name or address, as ssh.known_hosts has it")
    port: int = Field(22, ge=1, le=65535)


class Access(Login):
    """How a machine is reached. On a machine: what differs from `ssh`; what is left out is as there."""

    jump: tuple[Hop, ...] = Field((), description="jump hosts, in the order in which they are passed; []: none")
    become: Become | None = Field(None, description="sudo, for a user that is not root; null: the login is root")
    become_password: SecretRef | None = Field(None, description="what sudo asks for; left out: sudo must not ask (NOPASSWD)")

    def filled_from(self, general: Access) -> Access:
        """What is written here; the rest as in `general`. A secret goes with the key or the user that it was written for."""
        return Access(**{**_passed_on(general, self), "jump": general.hops, **_written(self)})

    @property
    def hops(self) -> tuple[Hop, ...]:
        """The jump hosts, each with all that it needs."""
        return tuple(Hop(**{**_passed_on(self, hop, but=("port", "password")), **_written(hop)}) for hop in self.jump)

    @property
    def secrets(self) -> tuple[SecretRef, ...]:
        """Every secret that is needed on the way."""
        logins = (self, *self.hops)
        found = [ref for login in logins for ref in (login.passphrase, login.password)]
        return tuple(ref for ref in (*found, self.become_password) if ref is not None)

    def refuse_incomplete(self) -> None:
        """Raises ValueError for settings that can't work together, or can't be enough."""
        for login in (self, *self.hops):
            where = f"jump {login.host}: " if isinstance(login, Hop) else ""
            if login.key is None and login.password is None and not login.agent:
                raise ValueError(f"{where}no key, no password, and agent is false: write one of them")
            if login.passphrase is not None and login.key is None:
                raise ValueError(f"{where}a passphrase without a key: write key, too")
        if self.become_password is not None and self.become is None:
            raise ValueError("become_password without become: write become: sudo, too")


class Ssh(Access):
    """How machines are reached. Host keys are always checked."""

    known_hosts: Path = Field(Path("~/.ssh/known_hosts"), description="host keys; unknown and changed ones are refused")

    @field_validator("known_hosts")
    @classmethod
    def _known_hosts_expanded(cls, value: Path) -> Path:
        return value.expanduser()

    @model_validator(mode="after")
    def _is_complete(self) -> Ssh:
        self.refuse_incomplete()
        return self


def _written(login: Login) -> dict[str, Any]:
    return {name: getattr(login, name) for name in login.model_fields_set}


def _passed_on(login: Login, to: Login, but: tuple[str, ...] = ()) -> dict[str, Any]:
    """What `to` gets of `login`: what both have, without the secrets that belong to something that it has of its own."""
    shared = (type(login).model_fields.keys() & type(to).model_fields.keys()) - set(but)
    return {name: getattr(login, name) for name in shared if not BELONGS_TO.get(name, set()) & to.model_fields_set}
