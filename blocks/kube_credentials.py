"""The administrator's credentials for the API, as k3s writes them on its servers; kept in memory only."""

from __future__ import annotations

import base64
import hashlib
import os
from dataclasses import dataclass
from typing import Any

import yaml
from kubernetes import client as kube
from pydantic import SecretStr

from blocks.errors import HostError


@dataclass(frozen=True)
class KubeCredentials:
    """A CA and a client certificate with its key."""

    ca: str
    certificate: str
    key: SecretStr

    @property
    def ca_sha256(self) -> str:
        """Names the cluster: k3s's tokens begin with it."""
        return hashlib.sha256(self.ca.encode()).hexdigest()

    def configuration(self, address: str, port: int) -> kube.Configuration:
        """A client configuration for one server, whose certificate must be of this CA."""
        configuration = kube.Configuration()
        configuration.host = f"https://{address}:{port}"
        configuration.ssl_ca_cert = _in_memory("ca", self.ca)
        configuration.cert_file = _in_memory("certificate", self.certificate)
        configuration.key_file = _in_memory("key", self.key.get_secret_value())
        configuration.retries = False
        configuration.proxy = None  # servers are asked directly, whatever https_proxy the operator's shell has
        return configuration


def _in_memory(name: str, content: str) -> str:
    """A path to `content`, for libraries that insist on one; nothing reaches the disk."""
    descriptor = os.memfd_create(name)
    os.write(descriptor, content.encode())
    return f"/proc/self/fd/{descriptor}"


def parse_kubeconfig(host: str, text: str) -> KubeCredentials:
    """The credentials in a k3s.yaml. Raises HostError, without any of its text, when it is not one."""
    try:
        config: dict[str, Any] = yaml.safe_load(text)
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        return KubeCredentials(
            ca=_decoded(cluster["certificate-authority-data"]),
            certificate=_decoded(user["client-certificate-data"]),
            key=SecretStr(_decoded(user["client-key-data"])),
        )
    except (yaml.YAMLError, KeyError, IndexError, TypeError, ValueError):
        raise HostError(
            f"{host}: /etc/rancher/k3s/k3s.yaml is no kubeconfig with client certificates", id="kubeconfig-invalid"
        ) from None


def _decoded(value: str) -> str:
    return base64.b64decode(value, validate=True).decode()
