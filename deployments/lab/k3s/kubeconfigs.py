"""Kubeconfig files: one with the credentials inside for people, others with paths for the components."""

import base64
from pathlib import Path

from . import paths
from .certificates import Pair

_FORM = """\
apiVersion: v1
clusters:
- cluster:
    {ca}
    server: {url}
  name: default
contexts:
- context:
    cluster: default
    user: default
  name: default
current-context: default
kind: Config
preferences: {{}}
users:
- name: default
  user:
    {cert}
    {key}
"""


def write_with_paths(path: Path, url: str, ca_file: Path, pair: Pair) -> Path:
    """Make `path` a kubeconfig that names its credentials' files."""
    text = _FORM.format(
        url=url,
        ca=f"certificate-authority: {ca_file}",
        cert=f"client-certificate: {pair.cert}",
        key=f"client-key: {pair.key}",
    )
    paths.write(path, text)
    return path


def write_with_data(path: Path, url: str, ca_file: Path, pair: Pair, mode: int) -> None:
    """Make `path` a kubeconfig that can be copied to another machine."""
    text = _FORM.format(
        url=url,
        ca=f"certificate-authority-data: {_b64(ca_file)}",
        cert=f"client-certificate-data: {_b64(pair.cert)}",
        key=f"client-key-data: {_b64(pair.key)}",
    )
    paths.write(path, text, mode)


def _b64(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
