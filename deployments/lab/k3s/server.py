"""`k3s server`: find or found the cluster in the datastore, run the control plane, then this machine as a node."""

import ssl
import time

from . import (
    access,
    addresses,
    bootstrap,
    control_plane,
    journal,
    kubeconfigs,
    node_password,
    paths,
    plays,
    systemd,
)
from .api import KubeApi
from .bootstrap import Identity
from .datastore import Datastore
from .errors import UnreachableError
from .leader import Leader
from .node import Node
from .options import ServerOptions
from .processes import Supervisor
from .registration import Registration

# Not etcd's own ports: an etcd that is no child of ours may come to this machine later.
_LOCAL_ETCD = "http://127.0.0.1:2399"
_LOCAL_ETCD_PEER = "http://127.0.0.1:2398"
_START_S = 180
_DATASTORE_S = 15


def run(options: ServerOptions, annotations: dict[str, str]) -> None:
    """Run a server until it is stopped (Stopped) or can't go on (StartError); nothing of it runs afterwards."""
    supervisor = Supervisor()
    try:
        _run(options, supervisor, annotations)
    finally:
        supervisor.stop()


def _run(options: ServerOptions, supervisor: Supervisor, annotations: dict[str, str]) -> None:
    url = f"https://127.0.0.1:{options.port}"
    address = options.node.node_ip or addresses.node_address(options.datastore_endpoints)
    node = Node(options.node, address, url, control_plane.CA.cert)
    datastore = _open_datastore(options, supervisor)
    control_plane.write_identity(_identity(datastore, options))
    control_plane.issue_certificates(options, node)
    kubeconfigs.write_with_data(
        paths.KUBECONFIG, url, control_plane.CA.cert, control_plane.ADMIN, options.kubeconfig_mode
    )
    control_plane.start_apiserver(supervisor, options, node, datastore.endpoints)
    node.prepare(supervisor)
    api = KubeApi(url, control_plane.CA.cert, control_plane.ADMIN)
    supervisor.wait_until("the API server", lambda: api.answers("/readyz"), _START_S)
    _run_with_api(options, supervisor, node, api, annotations)


def _run_with_api(
    options: ServerOptions, supervisor: Supervisor, node: Node, api: KubeApi, annotations: dict[str, str]
) -> None:
    access.ensure(api)
    name = options.node.node_name
    node_password.check(api, name)
    control_plane.start_controllers(supervisor, options, node.api_url)
    node.start(supervisor)
    registration = Registration(api, name, annotations, is_server=True)
    supervisor.wait_until(f"node {name} to register", registration.ensure_marked, _START_S)
    registration.keep(supervisor)
    Leader(api, name).keep()
    systemd.say_ready()
    journal.info(f"k3s is up and running: node {name}, https://{node.address}:{options.port}")
    supervisor.run()


def _identity(datastore: Datastore, options: ServerOptions) -> Identity:
    given = options.node.token
    if not given and paths.TOKEN.exists() and not plays.takes_token_as_given():
        given = paths.TOKEN.read_text()
    return bootstrap.agree(datastore, given)


def _open_datastore(options: ServerOptions, supervisor: Supervisor) -> Datastore:
    if options.datastore_endpoints:
        datastore = Datastore(options.datastore_endpoints, _datastore_tls(options))
        _await_answer(datastore, supervisor, _DATASTORE_S)
        return datastore
    command = [
        "etcd",
        f"--data-dir={paths.LOCAL_ETCD}",
        f"--listen-client-urls={_LOCAL_ETCD}",
        f"--advertise-client-urls={_LOCAL_ETCD}",
        f"--listen-peer-urls={_LOCAL_ETCD_PEER}",
        f"--initial-advertise-peer-urls={_LOCAL_ETCD_PEER}",
        f"--initial-cluster=default={_LOCAL_ETCD_PEER}",
    ]
    paths.LOCAL_ETCD.mkdir(parents=True, exist_ok=True, mode=0o700)
    supervisor.start("etcd", command, essential=True)
    datastore = Datastore([_LOCAL_ETCD])
    _await_answer(datastore, supervisor, _START_S)
    return datastore


def _await_answer(datastore: Datastore, supervisor: Supervisor, seconds: float) -> None:
    """Return when etcd has a quorum. After a power cut it boots beside us and gets some time."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            datastore.read_prefix(bootstrap.PREFIX)
            return
        except UnreachableError:
            if time.monotonic() > deadline:
                raise
        supervisor.pause(0.5)


def _datastore_tls(options: ServerOptions) -> ssl.SSLContext | None:
    ca_file, cert_file, key_file = options.datastore_tls
    if not ca_file:
        return None
    tls = ssl.create_default_context(cafile=ca_file)
    if cert_file:
        tls.load_cert_chain(cert_file, key_file)
    return tls
