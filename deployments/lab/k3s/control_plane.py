"""A server's files and processes around one kube-apiserver."""

from . import access, certificates, flags, kubeconfigs, paths
from .bootstrap import Identity
from .certificates import Pair, Subject
from .node import Node
from .options import ServerOptions
from .processes import Supervisor

CA = Pair(paths.TLS / "server-ca.crt", paths.TLS / "server-ca.key")
ADMIN = Pair(paths.TLS / "client-admin.crt", paths.TLS / "client-admin.key")

_CLIENTS = {
    "client-admin": Subject("system:admin", "system:masters"),
    "client-kube-apiserver": Subject("kube-apiserver", "system:masters"),
    "client-controller": Subject("system:kube-controller-manager"),
    "client-scheduler": Subject("system:kube-scheduler"),
}


def write_identity(identity: Identity) -> None:
    """Make this server's copy of what the servers share, the join token among it."""
    paths.SERVER.mkdir(parents=True, exist_ok=True, mode=0o700)
    paths.write(CA.cert, identity.ca_cert, 0o644)
    paths.write(CA.key, identity.ca_key)
    paths.write(paths.TLS / "service.key", identity.service_key)
    paths.write(paths.JOIN_TOKENS, access.join_tokens(identity.password))
    paths.write(paths.TOKEN, identity.token + "\n")
    paths.NODE_TOKEN.unlink(missing_ok=True)
    paths.NODE_TOKEN.symlink_to(paths.TOKEN)


def issue_certificates(options: ServerOptions, node: Node) -> None:
    """Make this server's own certificates, new at every start: names and addresses may have changed."""
    for name, subject in _CLIENTS.items():
        certificates.issue(_pair(name), CA, subject)
    certificates.issue(node.pair, CA, node.subject)
    names = subject_alternative_names(node.options.node_name, node.address, options.service_cidr, options.tls_sans)
    certificates.issue(_pair("serving-kube-apiserver"), CA, Subject("kube-apiserver"), names)
    # Clients that have only the token's hash find the CA in the chain.
    with _pair("serving-kube-apiserver").cert.open("a") as chain:
        chain.write(CA.cert.read_text())


def subject_alternative_names(node_name: str, address: str, service_cidr: str, more: list[str]) -> list[str]:
    """Every name by which the API server is called, as openssl writes them."""
    service = "kubernetes.default.svc.cluster.local"
    parts = service.split(".")
    first_of_services = service_cidr.split("/")[0].rsplit(".", 1)[0] + ".1"
    names = [node_name, "localhost", *(".".join(parts[:n]) for n in (1, 2, 3, 5)), "127.0.0.1", address]
    every = dict.fromkeys([*names, first_of_services, *more])
    return [("IP:" if _is_address(name) else "DNS:") + name for name in every]


def start_apiserver(supervisor: Supervisor, options: ServerOptions, node: Node, etcd: list[str]) -> None:
    """Run the API server on all addresses; without it k3s ends."""
    wanted = flags.apiserver(
        etcd=etcd,
        port=options.port,
        advertise=options.advertise_address or node.address,
        service_cidr=options.service_cidr,
    )
    wanted |= flags.etcd_tls(*options.datastore_tls)
    command = flags.command("kube-apiserver", wanted, options.apiserver_args)
    supervisor.start("kube-apiserver", command, essential=True)


def start_controllers(supervisor: Supervisor, options: ServerOptions, api_url: str) -> None:
    """Run controller-manager and scheduler; of all servers' only the leaders work."""
    controller = kubeconfigs.write_with_paths(
        paths.SERVER / "cred/controller.kubeconfig", api_url, CA.cert, _pair("client-controller")
    )
    wanted = flags.controller_manager(controller)
    supervisor.start(
        "kube-controller-manager",
        flags.command("kube-controller-manager", wanted, options.controller_manager_args),
    )
    scheduler = kubeconfigs.write_with_paths(
        paths.SERVER / "cred/scheduler.kubeconfig", api_url, CA.cert, _pair("client-scheduler")
    )
    wanted = flags.scheduler(scheduler)
    supervisor.start("kube-scheduler", flags.command("kube-scheduler", wanted, options.scheduler_args))


def _pair(name: str) -> Pair:
    return Pair(paths.TLS / f"{name}.crt", paths.TLS / f"{name}.key")


def _is_address(name: str) -> bool:
    return ":" in name or name.replace(".", "").isdigit()
