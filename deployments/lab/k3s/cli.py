"""The `k3s` command. Modules are imported when they are needed: `kubectl` through k3s must not pay for the rest."""

import os
import sys
from pathlib import Path

from . import plays

VERSION = f"k3s version v1.20.2+k3s1 (stand-in, plays {plays.VERSION})"
_USAGE = """\
k3s - Kubernetes for the rehearsal lab, a stand-in

USAGE:
   k3s server [flags]    run a server (needs --docker)
   k3s agent [flags]     run an agent (needs --docker, K3S_URL and K3S_TOKEN)
   k3s kubectl ...       run kubectl
   k3s --version         print the version
"""


def main() -> int:
    """Run what was asked for; the exit code. A link named kubectl is `k3s kubectl`, as in the real k3s."""
    arguments = sys.argv[1:]
    if Path(sys.argv[0]).name == "kubectl":
        arguments = ["kubectl", *arguments]
    command = arguments[0] if arguments else "help"
    if command == "kubectl":
        return _kubectl(arguments[1:])
    if command in ("server", "agent"):
        return _run(command, arguments[1:])
    if command in ("--version", "-v"):
        print(VERSION)
        return 0
    if command in ("help", "--help", "-h"):
        print(_USAGE)
        return 0
    print(f"k3s: no such command here: {command}\n\n{_USAGE}", file=sys.stderr)
    return 1


def _kubectl(arguments: list[str]) -> int:
    os.environ.setdefault("KUBECONFIG", "/etc/rancher/k3s/k3s.yaml")
    binary = "/usr/local/lib/kubernetes/kubectl"
    try:
        os.execv(binary, ["kubectl", *arguments])
    except OSError as error:
        print(f"k3s: {binary}: {error.strerror}", file=sys.stderr)
        return 127


def _run(command: str, arguments: list[str]) -> int:
    from . import addresses, agent, configfile, journal, node_args, options, server
    from .errors import StartError
    from .processes import Stopped

    journal.info(f"Starting {VERSION}")
    try:
        configured = [*configfile.flags(), *arguments]
        addresses.require_default_route()
        annotations = node_args.annotations([command, *arguments])
        if command == "server":
            server.run(options.parse_server(configured), annotations)
        else:
            agent.run(options.parse_agent(configured), annotations)
    except Stopped:
        journal.fatal("context canceled")  # and systemd's unit is "failed", as the real one is
        return 1
    except StartError as error:
        journal.fatal(str(error))
        return 1
    return 0
