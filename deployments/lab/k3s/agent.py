"""`k3s agent`: reach any server, become a node, stay one while at least one server lives."""

from collections.abc import Callable

from . import addresses, balancer, join, journal, paths, systemd, tokens
from .api import KubeApi
from .balancer import Balancer
from .errors import UnreachableError
from .node import Node
from .options import NodeOptions
from .processes import Supervisor
from .registration import Registration
from .servers import ServerList

_GATEWAY = f"127.0.0.1:{balancer.PORT}"
_RETRY_S = 3
_START_S = 180


def run(options: NodeOptions, annotations: dict[str, str]) -> None:
    """Run an agent until it is stopped (Stopped) or refused (StartError); nothing of it runs afterwards."""
    supervisor = Supervisor()
    try:
        _run(options, supervisor, annotations)
    finally:
        supervisor.stop()


def _run(options: NodeOptions, supervisor: Supervisor, annotations: dict[str, str]) -> None:
    address = options.node_ip or addresses.node_address([options.server_url])
    node = Node(options, address, f"https://{_GATEWAY}", paths.AGENT / "server-ca.crt")
    token = tokens.parse(options.token)
    gateway = Balancer(ServerList(options.server_url))
    gateway.start()
    node.prepare(supervisor)
    _persist(supervisor, lambda: join.fetch_ca(options.server_url, _GATEWAY, token, node.ca_file))
    _persist(supervisor, lambda: join.ensure_identity(node, token))
    api = KubeApi(node.api_url, node.ca_file, node.pair)
    gateway.follow(api)
    _run_node(node, supervisor, api, annotations)


def _run_node(node: Node, supervisor: Supervisor, api: KubeApi, annotations: dict[str, str]) -> None:
    name = node.options.node_name
    node.start(supervisor)
    registration = Registration(api, name, annotations, is_server=False)
    supervisor.wait_until(f"node {name} to register", registration.ensure_marked, _START_S)
    registration.keep(supervisor)
    systemd.say_ready()
    journal.info(f"k3s agent is up and running: node {name}")
    supervisor.run()


def _persist(supervisor: Supervisor, step: Callable[[], None]) -> None:
    """Take `step` again and again while nobody answers; a refusal ends it."""
    while True:
        try:
            return step()
        except UnreachableError as error:
            journal.warning(f"{error}; trying again in {_RETRY_S} s")
            supervisor.pause(_RETRY_S)
