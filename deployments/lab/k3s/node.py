"""The node parts of a server and of an agent: kubelet and kube-proxy over docker."""

from dataclasses import dataclass
from pathlib import Path

from . import docker, flags, kubeconfigs, paths
from .certificates import Pair, Subject
from .options import NodeOptions
from .processes import Supervisor

_GROUP = "system:nodes"


@dataclass(frozen=True)
class Node:
    """This machine as a node. kubelet and kube-proxy share the node's identity (see access.py)."""

    options: NodeOptions
    address: str
    api_url: str
    ca_file: Path

    @property
    def pair(self) -> Pair:
        return Pair(paths.AGENT / "client-kubelet.crt", paths.AGENT / "client-kubelet.key")

    @property
    def subject(self) -> Subject:
        return Subject(f"system:node:{self.options.node_name}", _GROUP)

    def prepare(self, supervisor: Supervisor) -> None:
        """Return when docker answers."""
        supervisor.wait_until("docker", docker.answers, timeout_s=120)
        docker.warn_of_missing(self.options.pause_image)

    def start(self, supervisor: Supervisor) -> None:
        """Run kubelet and kube-proxy."""
        kubeconfig = kubeconfigs.write_with_paths(
            paths.AGENT / "kubelet.kubeconfig", self.api_url, self.ca_file, self.pair
        )
        supervisor.start("kubelet", self._kubelet(kubeconfig))
        supervisor.start("kube-proxy", self._kube_proxy(kubeconfig))

    def _kubelet(self, kubeconfig: Path) -> list[str]:
        wanted = flags.kubelet(
            kubeconfig=kubeconfig,
            name=self.options.node_name,
            address=self.address,
            ca_file=self.ca_file,
            pause_image=self.options.pause_image,
        )
        if self.options.node_labels:
            wanted["node-labels"] = ",".join(self.options.node_labels)
        if self.options.node_taints:
            wanted["register-with-taints"] = ",".join(self.options.node_taints)
        return flags.command("kubelet", wanted, self.options.kubelet_args)

    def _kube_proxy(self, kubeconfig: Path) -> list[str]:
        wanted = flags.kube_proxy(
            kubeconfig=kubeconfig, name=self.options.node_name, cluster_cidr=self.options.cluster_cidr
        )
        return flags.command("kube-proxy", wanted, self.options.kube_proxy_args)
