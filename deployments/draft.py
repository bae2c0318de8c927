"""Write most of a config from a running platform: evenkeel draft --source HOST > configs/prod.yaml (or python -m deployments.draft)

One source is asked by SSH, read-only, and the etcd and the API that answer there. What it can't know stands behind DECIDE.
It is a command of this room and not of configs/: that one is checked without any connection, and this one opens three.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from configs.errors import EvenkeelError
from flows.draft import draft, refuse_existing
from tasks.draft.text import DECIDE

JUMP = re.compile(r"(?:(?P<user>[^@:]+)@)?(?P<host>[^@:]+)(?::(?P<port>\d+))?")

app = typer.Typer(add_completion=False, help=__doc__, pretty_exceptions_show_locals=False)


@app.command()
def main(
    source: Annotated[str, typer.Option(help="a running source: a k3s server with an etcd member, by name or address")],
    output: Annotated[Path | None, typer.Option(help="a new file; otherwise standard output")] = None,
    platform: Annotated[str, typer.Option(help="its name: of the lock, the record and the reports")] = "prod",
    user: Annotated[str, typer.Option(help="who logs in")] = "root",
    port: Annotated[int, typer.Option(help="of sshd")] = 2222,
    key: Annotated[str | None, typer.Option(help="private key; without one, the ssh-agent's")] = None,
    known_hosts: Annotated[str, typer.Option(help="host keys")] = "~/.ssh/known_hosts",
    jump: Annotated[list[str] | None, typer.Option(help="[USER@]HOST[:PORT] of a jump host; again for the next one")] = None,
    sudo: Annotated[bool, typer.Option(help="become root by sudo")] = False,
    sudo_password_env: Annotated[str | None, typer.Option(help="environment variable with sudo's password")] = None,
    password_env: Annotated[str | None, typer.Option(help="environment variable with the login's password")] = None,
    passphrase_env: Annotated[str | None, typer.Option(help="environment variable with the key's passphrase")] = None,
    etcd_ca: Annotated[str | None, typer.Option(help="where etcd speaks TLS: its authority's certificate, here")] = None,
    etcd_cert: Annotated[str | None, typer.Option(help="and a client certificate")] = None,
    etcd_key: Annotated[str | None, typer.Option(help="and its key")] = None,
) -> None:
    """Draft a config."""
    secrets = {"become_password": sudo_password_env, "password": password_env, "passphrase": passphrase_env}
    ssh = ssh_of(secrets, jump or [], user=user, port=port, key=key, known_hosts=known_hosts, become="sudo" if sudo else None)
    named = {"ca": etcd_ca, "cert": etcd_cert, "key": etcd_key}
    files = {name: path for name, path in named.items() if path}
    if files and files.keys() < named.keys():
        raise typer.BadParameter("--etcd-ca, --etcd-cert and --etcd-key: give all three")
    try:
        if output:
            refuse_existing(output)
        text = draft(source, platform, ssh, files or None)
    except EvenkeelError as error:
        typer.echo(error, err=True)
        sys.exit(2)
    hand_over(text, output)


def ssh_of(secrets: dict[str, str | None], jumps: list[str], **settings: object) -> dict[str, Any]:
    """What was given, as the config has it: `ssh` with names of variables in the place of secrets."""
    given = {name: value for name, value in settings.items() if value is not None}
    refs = {name: {"env": variable} for name, variable in secrets.items() if variable}
    return {**given, **refs, **({"jump": list(map(_hop, jumps))} if jumps else {})}


def hand_over(text: str, output: Path | None) -> None:
    """Write the draft to a new file or to standard output, and say on the other channel how much is left to a person."""
    if output is None:
        typer.echo(text, nl=False)
    else:
        with output.open("x", encoding="utf-8") as file:
            file.write(text)
    typer.echo(f"{text.count(DECIDE)} places to decide: grep -n DECIDE {output or 'FILE'}", err=True)


def _hop(text: str) -> dict[str, Any]:
    found = JUMP.fullmatch(text)
    if found is None:
        raise typer.BadParameter(f"--jump {text}: write [USER@]HOST[:PORT]")
    port = {"port": int(found["port"])} if found["port"] else {}
    return {"host": found["host"], **port, **({"user": found["user"]} if found["user"] else {})}


if __name__ == "__main__":
    app()
