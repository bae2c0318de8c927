"""A second cluster in the platform's datastore: founded by a server that joined with another token, and taken back.

Its API server is one of the platform's endpoints, so a share of all calls inside the cluster ends at a foreign CA.
"""

from __future__ import annotations

from collections.abc import Collection

from blocks.errors import VerificationError
from blocks.ports import Host, KeyValues, KubeApi
from configs.hosts import Target
from configs.platform import Platform
from tasks.engine.check import check
from tasks.engine.finding import Checked, Findings
from tasks.engine.outcome import Outcome, changed, planned, unchanged
from tasks.engine.run import Run
from tasks.engine.step import step
from tasks.engine.waiting import wait_until
from tasks.etcd.unit import client_url
from tasks.k3s.identity import BOOTSTRAP, ClusterAccess, find_live_token, key_of
from tasks.k3s.nodes import find_node
from tasks.shell.fleet import side_by_side
from tasks.shell.script import facts, parse_facts
from tasks.shell.units import is_off, unit_state

REGISTERED = "/registry/minions/"  # below it the API servers keep their nodes
SERVER = "/var/lib/rancher/k3s/server"
ENV = "/etc/systemd/system/k3s.service.env"
QUESTION = facts(
    {
        "state": unit_state("k3s"),
        "token": f"sed -n 's/^K3S_TOKEN=//p' {ENV}",
        "datastore": f"sed -n 's/^K3S_DATASTORE_ENDPOINT=//p' {ENV}",
        "ca": "sha256sum /var/lib/rancher/k3s/server/tls/server-ca.crt | cut -c1-64",
    }
)


@check("check k3s identity")
def check_identity(platform: Platform, keys: KeyValues, access: ClusterAccess, targets: Collection[Host]) -> Checked:
    """The datastore holds one cluster's identity, the live one's, and the token that servers join with is known.

    Raises RefusedError when no known token is the live identity's.
    """
    found = Findings("cluster")
    present = keys.names(BOOTSTRAP)
    live = key_of(find_live_token(present, access).get_secret_value())
    others = set(present) - {live}
    asked = list(targets) if others else []
    for host, said in zip(asked, side_by_side(_read, asked), strict=True):
        key = _rogue_key(said, platform, access)
        if key in others:
            others.discard(key)
            found.warn(
                "k3s-rogue-server",
                f"its k3s founded a second cluster in the live datastore ({key}): it is stopped and its key removed before "
                "anything else is changed",
                where=host.name,
            )
    for key in sorted(others):
        found.refuse(
            "k3s-two-identities",
            f"its datastore holds a second identity, {key}, of no target of this config",
            f"find the API server with another CA, stop its k3s, etcdctl del {key}",
            final=True,
        )
    return found.checked(f"servers join by {live}")


@check("check k3s datastore")
def check_datastore(platform: Platform, kube: KubeApi, keys: KeyValues) -> Checked:
    """The etcd of the config is where the live servers keep their nodes."""
    found = Findings("cluster")
    missing = _not_stored(kube, keys)
    if missing:  # or it was deleted between the two questions
        missing &= _not_stored(kube, keys)
    if missing:
        found.refuse(
            "k3s-datastore-foreign",
            f"the etcd of the config does not hold its nodes {', '.join(sorted(missing))}: its servers keep their data elsewhere, "
            "and new ones would be another cluster's",
            "compare etcd in the config with K3S_DATASTORE_ENDPOINT in /etc/systemd/system/k3s*.service.env on the sources",
        )
    return found.checked("all nodes of the cluster are in the etcd of the config")


def _not_stored(kube: KubeApi, keys: KeyValues) -> set[str]:
    """Nodes of the API that etcd lacks. The API is asked first: a node may join meanwhile, of a run that was killed before."""
    nodes = {node.name for node in kube.nodes()}
    return nodes - {key.removeprefix(REGISTERED) for key in keys.names(REGISTERED)}


@step("remove rogue server")
def ensure_rogue_removed(
    run: Run, host: Host, platform: Platform, target: Target, kube: KubeApi, keys: KeyValues, access: ClusterAccess
) -> Outcome:
    """Make this target carry no second cluster in the live datastore: its k3s off, its node gone, its key removed last.

    Undo: none; what it wrote was never the platform's.
    """
    # probe
    key = _rogue_key(_read(host), platform, access)
    if key not in keys.names(BOOTSTRAP) or key == key_of(find_live_token(keys.names(BOOTSTRAP), access).get_secret_value()):
        return unchanged("no rogue server")
    if run.dry_run:
        return planned(f"its k3s is stopped, its node and {key} are removed")

    # act
    with run.acting(host.name, f"taking a second cluster back, {key}"):
        take_back(host, platform, target, kube, keys, key)

    # verify
    if key in keys.names(BOOTSTRAP) or not is_off(_read(host)["state"]):
        raise VerificationError(
            f"{host.name}: its rogue k3s was stopped and {key} deleted, yet one of them is back: systemctl status k3s there",
            id="k3s-rogue-stays",
        )
    return changed(f"k3s is off, its node and {key} are gone")


def take_back(host: Host, platform: Platform, target: Target, kube: KubeApi, keys: KeyValues, key: str) -> None:
    """Stop the server that founded `key`, remove its node, then the key: while that is there, the work is not done.

    The node is awaited: a machine that still is one would be taken for a part of the live platform. What the server wrote on
    its disk, its CA and its credentials, is kept aside: the next one there must not begin with them.
    """
    stop = "systemctl disable --now k3s 2>/dev/null; ! systemctl is-active --quiet k3s"
    host.run(stop, what="stopping a rogue k3s", timeout_s=platform.timeouts.uninstall_s)
    if _its_node(kube, target):
        kube.delete_node(target.name)
    wait_until(
        f"{target.name}'s rogue server is no node any more",
        lambda: not _its_node(kube, target),
        timeout_s=platform.timeouts.node_delete_s,
        id="node-not-deleted",
    )
    keys.delete(key)
    host.run(f'test ! -e {SERVER} || mv {SERVER} "{SERVER}.aside-$(date +%s)"', what="moving a rogue server's data aside")


def _its_node(kube: KubeApi, target: Target) -> bool:
    node = find_node(kube, target.name)
    return node is not None and node.address == str(target.address)


def _read(host: Host) -> dict[str, str]:
    return parse_facts(host.run(QUESTION, what="looking for a rogue k3s").stdout)


def _rogue_key(said: dict[str, str], platform: Platform, access: ClusterAccess) -> str:
    """The key of the identity that this machine's server founded in the live datastore; empty when it did not."""
    datastore, token = (said[name].strip().strip("\"'") for name in ("datastore", "token"))
    members = {client_url(platform, machine) for machine in platform.machines}
    foreign_ca = said["ca"] not in ("", access.credentials.ca_sha256)
    return key_of(token) if foreign_ca and members.intersection(datastore.split(",")) else ""
