"""Every place on a machine that the stand-in reads or writes; they are k3s's own."""

import os
from pathlib import Path

BINARIES = Path("/usr/local/lib/kubernetes")

DATA = Path("/var/lib/rancher/k3s")
SERVER = DATA / "server"
TOKEN = SERVER / "token"
NODE_TOKEN = SERVER / "node-token"
TLS = SERVER / "tls"
JOIN_TOKENS = SERVER / "cred/tokens.csv"
LOCAL_ETCD = SERVER / "db/etcd"

AGENT = DATA / "agent"
IMAGES = AGENT / "images"
BALANCER_CACHE = AGENT / "etc/k3s-agent-load-balancer.json"

KUBECONFIG = Path("/etc/rancher/k3s/k3s.yaml")
NODE_PASSWORD = Path("/etc/rancher/node/password")
DOCKER_SOCKET = Path("/var/run/docker.sock")


def write(path: Path, text: str, mode: int = 0o600) -> None:
    """Make `path` hold `text` with `mode`, all or nothing: a killed k3s leaves no half-written file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.new")
    beside.unlink(missing_ok=True)
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as file:
        file.write(text)
    beside.chmod(mode)
    beside.replace(path)
