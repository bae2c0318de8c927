"""`lab`: the rehearsal lab's command."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from deployments.lab import keys, lab
from deployments.lab.machines import find
from deployments.lab.shell import LabError
from deployments.lab.steps import console

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__)
Hosts = Annotated[list[str], typer.Argument(help="vm-1 .. vm-3, phys-1 .. phys-6")]


@app.command()
def up() -> None:
    """Bring the lab into its initial state, building what is missing."""
    lab.up()


@app.command("power-off")
def power_off(hosts: Hosts) -> None:
    """Cut the machines' power; their disks stay."""
    lab.power_off([find(host) for host in hosts])


@app.command("power-on")
def power_on(hosts: Hosts) -> None:
    """Boot the machines from their disks."""
    lab.power_on([find(host) for host in hosts])


@app.command("exec", context_settings={"ignore_unknown_options": True})
def exec_(host: str, command: Annotated[list[str], typer.Argument()]) -> None:
    """Run a command on a machine: `lab exec vm-1 -- systemctl status etcd`. Its exit status is kept."""
    argv = ["podman", "exec", "--interactive", "--env", "HOME=/root", find(host).container, *command]
    if sys.stdin.isatty() and sys.stdout.isatty():
        argv.insert(2, "--tty")
    os.execvp(argv[0], argv)


@app.command("secrets")
def secrets_() -> None:
    """Print `export NAME=value` lines for a shell: eval "$(lab secrets)"."""
    known = keys.read_secrets()
    typer.echo(f"export LAB_VRRP_PASSWORD={known['vrrp']}")
    typer.echo(f"export LAB_MYSQL_ROOT_PASSWORD={known['mysql_root']}")
    typer.echo(f"export LAB_MYSQL_WACOS_PASSWORD={known['mysql_wacos']}")


def main() -> None:
    """The commands, with errors as one message and an exit status instead of a traceback."""
    os.umask(0o022)
    try:
        app()
    except LabError as error:
        console.print(f"[red]lab:[/red] {error}", markup=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
