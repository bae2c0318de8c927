"""How k3s is installed on targets: its bundle, its API's port, and the flags of servers and agents."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from configs.base import HostPath, ShellSafe, StrictModel

SET_BY_EVENKEEL = (
    *("--node-name", "--node-ip", "-i", "--token", "-t", "--token-file", "--agent-token", "--agent-token-file"),
    *("--datastore-endpoint", "--datastore-cafile", "--datastore-certfile", "--datastore-keyfile", "--server", "-s"),
)
"""Flags of k3s that differ by machine, hold a secret, or are passed to the installer in another way."""

_ALIKE = """
    --cluster-cidr --cluster-dns --cluster-domain --disable --disable-cloud-controller --disable-helm-controller
    --disable-kube-proxy --disable-network-policy --egress-selector-mode --embedded-registry --flannel-backend --flannel-conf
    --flannel-external-ip --flannel-ipv6-masq --no-deploy --no-flannel --secrets-encryption --service-cidr
"""
ALIKE = frozenset(_ALIKE.split())
"""Flags that k3s wants alike on all servers of a cluster: https://docs.k3s.io/cli/server, "critical configuration values"."""

_FOLDER = "k3s's files are below /var/lib/rancher/k3s on every machine: leave it out; to have them elsewhere, mount a disk there"
_DATASTORE = "the datastore is the etcd of the config: leave it out"
UNSUPPORTED = {
    "--data-dir": _FOLDER,
    "-d": _FOLDER,
    "--with-node-id": "the node would have another name than the config: leave it out",
    "--disable-agent": "every server is a node: leave it out",
    "--cluster-init": _DATASTORE,
    "--cluster-reset": _DATASTORE,
}


def _is_argument(value: str) -> str:
    """Any word that a process can get; it is quoted on its way. The message has the flag's name only: values can be secret."""
    name, blank, _ = value.partition(" ")
    if not value.isprintable() or not value.strip():
        raise ValueError(f"{value.partition('=')[0]!r} is empty or has a line break or a tab: write one word of the command line")
    if blank and name.startswith("-") and "=" not in name:
        raise ValueError(f"{name!r} and its value are one word: write {name}=VALUE")
    return value


Argument = Annotated[str, AfterValidator(_is_argument)]


def names_of(words: Iterable[str]) -> list[str]:
    """The flags among the words of a command line, without their values."""
    return [word.partition("=")[0] for word in words if re.match("-[a-z-]", word)]


def refuse_foreign(where: str, words: Iterable[str]) -> None:
    """Raises ValueError for flags that are not the config's to give."""
    names = names_of(words)
    reserved = [name for name in SET_BY_EVENKEEL if name in names]
    if reserved:
        raise ValueError(f"{where}: {', '.join(reserved)}: leave it out: evenkeel sets it on each machine")
    for name in names:
        if name in UNSUPPORTED:
            raise ValueError(f"{where}: {name} is not supported: {UNSUPPORTED[name]}")


class K3s(StrictModel):
    """How k3s is installed on targets, and where its API answers."""

    bundle: HostPath = Field("/opt/k3s", description="the vendor's bundle on every target")
    images: tuple[ShellSafe, ...] = Field(description="tars for docker load, relative to the bundle")
    airgap_images: ShellSafe = "vendor/k3s-airgap-images-amd64.tar"
    api_port: int = Field(10443, ge=1, le=65535)
    server_args: tuple[Argument, ...] | None = Field(
        None, description="flags of new servers without SET_BY_EVENKEEL; left out: those of the first source's server"
    )
    agent_args: tuple[Argument, ...] = ("--docker",)

    @model_validator(mode="after")
    def _has_no_flag_of_evenkeels(self) -> K3s:
        refuse_foreign("server_args", self.server_args or ())
        refuse_foreign("agent_args", self.agent_args)
        return self

    @model_validator(mode="after")
    def _api_port_is_the_listen_port(self) -> K3s:
        flag = "--https-listen-port="
        port = next((word.removeprefix(flag) for word in self.server_args or () if word.startswith(flag)), None)
        if port is not None and port != str(self.api_port):
            raise ValueError(f"api_port: {self.api_port}, but server_args have {flag}{port}: write the same")
        return self
