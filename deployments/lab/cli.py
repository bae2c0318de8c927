"""`lab`: nine machines to rehearse the move on. `lab up` first."""

from __future__ import annotations

import json
import os
import sys
from typing import Annotated, Any

import typer
from rich.console import Console
from typer.core import TyperGroup

from deployments.lab import etcd_tls, faults, keys, lab, packages
from deployments.lab import inventory as inventory_text
from deployments.lab import status as lab_status
from deployments.lab.machines import find
from deployments.lab.shell import LabError
from deployments.lab.steps import console


class Commands(TyperGroup):
    """The commands, with the lab's errors as a message and an exit status instead of a traceback."""

    def invoke(self, ctx: Any) -> object:
        os.umask(0o022)
        try:
            return super().invoke(ctx)
        except LabError as error:
            console.print("lab:", error, style="red", markup=False)
            raise typer.Exit(1) from error


app = typer.Typer(cls=Commands, no_args_is_help=True, add_completion=False, help=__doc__)
Hosts = Annotated[list[str], typer.Argument(help="vm-1 .. vm-3, phys-1 .. phys-6", metavar="HOST...")]


@app.command()
def up(fresh: Annotated[bool, typer.Option(help="Reset also a lab that looks untouched.")] = False) -> None:
    """Bring the lab into its initial state; installs and builds what is missing."""
    lab.up(fresh)


@app.command()
def reset() -> None:
    """Return a used lab to its initial state, from copies, in about a minute."""
    lab.reset()


@app.command()
def down(purge: Annotated[bool, typer.Option(help="Delete the machines' disks and copies too.")] = False) -> None:
    """Switch everything off and take the network away; the next `up` or `reset` is quick unless purged."""
    lab.down(purge)


@app.command()
def status(as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False) -> None:
    """Show each machine's power, units and node, who holds the virtual address, and etcd's members."""
    packages.require_root()
    states = lab_status.read()
    if as_json:
        typer.echo(json.dumps(lab_status.as_json(states), indent=1))
        return
    out = Console(highlight=False, width=None if sys.stdout.isatty() else 180)
    out.print(lab_status.as_table(states))
    out.print(lab_status.etcd_line(states))


@app.command("exec", context_settings={"ignore_unknown_options": True})
def exec_(host: str, command: Annotated[list[str], typer.Argument()]) -> None:
    """Run a command on a machine: `lab exec vm-1 -- systemctl status etcd`. Its exit status is kept."""
    packages.require_root()
    argv = ["podman", "exec", "--interactive", "--env", "HOME=/root", find(host).container, *command]
    if sys.stdin.isatty() and sys.stdout.isatty():
        argv.insert(2, "--tty")
    os.execvp(argv[0], argv)


@app.command("power-off")
def power_off(hosts: Hosts) -> None:
    """Cut the machines' power; their disks stay."""
    lab.power_off([find(host) for host in hosts])


@app.command("power-on")
def power_on(hosts: Hosts) -> None:
    """Boot the machines from their disks."""
    lab.power_on([find(host) for host in hosts])


@app.command()
def fault(
    name: Annotated[str, typer.Argument(help="Without a name: the list of faults.")] = "",
    hosts: Annotated[list[str] | None, typer.Argument(help="Machines to use instead of the fault's own.", metavar="HOST...")] = None,
) -> None:
    """Break something: `lab fault etcd-stopped vm-3`. `lab heal` undoes it."""
    if not name:
        for known, what in faults.FAULTS.items():
            typer.echo(f"{known:20} {what.says} ({' '.join(what.on) if what.on != faults.ALL else 'everywhere'})")
        return
    packages.require_root()
    for machine in faults.inject(name, hosts or ()):
        console.print(f"{machine.name}: {faults.FAULTS[name].says}")


@app.command()
def heal() -> None:
    """Undo every fault, on every machine that is on."""
    packages.require_root()
    faults.heal()


@app.command()
def inventory() -> None:
    """Print the hosts, addresses, keys and URLs that a configuration needs, as YAML."""
    keys.ensure()
    typer.echo(inventory_text.text(), nl=False)


@app.command()
def config() -> None:
    """Print configs/lab.yaml as this lab needs it: LAB_ETCD_TLS=1 adds etcd's certificates, LAB_LAKE=gluster lets bricks move."""
    etcd_tls.ensure()
    typer.echo(inventory_text.config(), nl=False)


@app.command()
def secrets() -> None:
    """Print `export NAME=value` lines for a shell: eval "$(lab secrets)"."""
    keys.ensure()
    known = keys.read_secrets()
    typer.echo(f"export LAB_VRRP_PASSWORD={known['vrrp']}")
    typer.echo(f"export LAB_OPS_PASSWORD={known['ops']}")
    typer.echo(f"export LAB_MYSQL_ROOT_PASSWORD={known['mysql_root']}")
    typer.echo(f"export LAB_MYSQL_WACOS_PASSWORD={known['mysql_wacos']}")


if __name__ == "__main__":
    app()
