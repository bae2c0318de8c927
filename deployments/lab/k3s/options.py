"""What the operator asked for: flags over K3S_* variables. A flag that k3s has but the stand-in has not is an error."""

import argparse
import os
import socket
from dataclasses import dataclass
from typing import NoReturn

from .errors import StartError

PAUSE_IMAGE = "rancher/pause:3.1"


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise StartError(f"{self.prog}: {message}")


@dataclass(frozen=True)
class NodeOptions:
    """What a server and an agent have in common."""

    node_name: str
    node_ip: str
    token: str
    server_url: str
    pause_image: str
    cluster_cidr: str
    node_labels: list[str]
    node_taints: list[str]
    kubelet_args: list[str]
    kube_proxy_args: list[str]


@dataclass(frozen=True)
class ServerOptions:
    """A server: a node, and the control plane."""

    node: NodeOptions
    datastore_endpoints: list[str]
    datastore_tls: tuple[str, str, str]
    port: int
    advertise_address: str
    tls_sans: list[str]
    service_cidr: str
    kubeconfig_mode: int
    apiserver_args: list[str]
    controller_manager_args: list[str]
    scheduler_args: list[str]


def parse_agent(arguments: list[str]) -> NodeOptions:
    """Read `k3s agent`'s flags; what an agent can't do without is asked for here."""
    options = _node_options(_node_parser("k3s agent").parse_args(arguments))
    if not options.server_url:
        raise StartError("--server is required: set K3S_URL=https://SERVER:PORT")
    if not options.server_url.startswith("https://"):
        raise StartError(f"K3S_URL must begin with https://, not {options.server_url!r}")
    if not options.token:
        raise StartError("--token is required: set K3S_TOKEN to a server's /var/lib/rancher/k3s/server/token")
    return options


def parse_server(arguments: list[str]) -> ServerOptions:
    """Read `k3s server`'s flags."""
    asked = _server_parser().parse_args(arguments)
    endpoints = [endpoint for endpoint in asked.datastore_endpoint.split(",") if endpoint]
    for endpoint in endpoints:
        if not endpoint.startswith(("http://", "https://")):
            raise StartError(f"--datastore-endpoint: {endpoint!r} is no etcd URL (http://HOST:2379,...)")
    if not endpoints and asked.server:
        raise StartError(
            "a server joins others by --datastore-endpoint here: the stand-in has no embedded etcd cluster"
        )
    return ServerOptions(
        node=_node_options(asked),
        datastore_endpoints=endpoints,
        datastore_tls=(asked.datastore_cafile, asked.datastore_certfile, asked.datastore_keyfile),
        port=asked.https_listen_port,
        advertise_address=asked.advertise_address,
        tls_sans=[san for value in asked.tls_san for san in value.split(",") if san],
        service_cidr=asked.service_cidr,
        kubeconfig_mode=int(asked.write_kubeconfig_mode, 8),
        apiserver_args=asked.kube_apiserver_arg,
        controller_manager_args=asked.kube_controller_manager_arg,
        scheduler_args=asked.kube_scheduler_arg,
    )


def _node_options(asked: argparse.Namespace) -> NodeOptions:
    if not asked.docker:
        raise StartError("the stand-in runs pods by docker only: add --docker")
    return NodeOptions(
        node_name=(asked.node_name or socket.gethostname()).lower(),
        node_ip=asked.node_ip,
        token=asked.token,
        server_url=asked.server.rstrip("/"),
        pause_image=asked.pause_image,
        cluster_cidr=asked.cluster_cidr,
        node_labels=asked.node_label,
        node_taints=asked.node_taint,
        kubelet_args=asked.kubelet_arg,
        kube_proxy_args=asked.kube_proxy_arg,
    )


def _node_parser(prog: str) -> _Parser:
    parser = _Parser(prog=prog, allow_abbrev=False)
    parser.add_argument("--token", "-t", default=os.environ.get("K3S_TOKEN", ""))
    parser.add_argument("--server", "-s", default=os.environ.get("K3S_URL", ""))
    parser.add_argument("--node-name", default=os.environ.get("K3S_NODE_NAME", ""))
    parser.add_argument("--node-ip", "-i", default="")
    parser.add_argument("--docker", action="store_true")
    parser.add_argument("--pause-image", default=PAUSE_IMAGE)
    parser.add_argument("--cluster-cidr", default="10.42.0.0/16")
    for name in ("--node-label", "--node-taint", "--kubelet-arg", "--kube-proxy-arg"):
        parser.add_argument(name, action="append", default=[])
    return parser


def _server_parser() -> _Parser:
    parser = _node_parser("k3s server")
    parser.add_argument("--datastore-endpoint", default=os.environ.get("K3S_DATASTORE_ENDPOINT", ""))
    for name in ("cafile", "certfile", "keyfile"):
        parser.add_argument(f"--datastore-{name}", default=os.environ.get(f"K3S_DATASTORE_{name.upper()}", ""))
    parser.add_argument("--https-listen-port", type=int, default=6443)
    parser.add_argument("--advertise-address", default="")
    parser.add_argument("--service-cidr", default="10.43.0.0/16")
    parser.add_argument("--write-kubeconfig-mode", default=os.environ.get("K3S_KUBECONFIG_MODE") or "600")
    # None of the components that k3s deploys by itself exists here, so there is nothing to disable.
    parser.add_argument("--disable", action="append", default=[])
    for name in (
        "--tls-san",
        "--kube-apiserver-arg",
        "--kube-controller-manager-arg",
        "--kube-scheduler-arg",
    ):
        parser.add_argument(name, action="append", default=[])
    return parser
